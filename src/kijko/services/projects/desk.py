"""What it takes to work with people's repositories at their servers."""

from dataclasses import dataclass

from kijko.clients.forges import Forge, Forges, ForgeUnavailable
from kijko.clients.git import Credential, Git, Surveyor
from kijko.core.crypto import Box
from kijko.core.tenancy import Principal, Tenants
from kijko.models.enums import GitProvider
from kijko.services.projects import credentials
from kijko.services.projects.credentials import Keyring
from kijko.services.projects.errors import ProviderNotConfigured
from kijko.services.projects.locations import Known, Location
from kijko.settings import Settings


@dataclass(frozen=True, slots=True)
class Desk:
    """Clients and settings, for operations that ask a server between their transactions."""

    database: Tenants
    git: Git
    surveyor: Surveyor
    forges: Forges
    box: Box
    settings: Settings

    @property
    def known(self) -> Known:
        """Whose servers are known."""
        return Known.of(self.settings)

    def keyring(self, principal: Principal) -> Keyring:
        """The person's own tokens."""
        return Keyring(self.database.reader(principal), self.forges, self.box)

    def forge(self, provider: GitProvider) -> Forge:
        """The forge, where accounts of it can be connected. Raises ProviderNotConfigured."""
        found = self.forges.get(provider)
        if found is None:
            raise ProviderNotConfigured(
                f"Accounts of {provider.value} cannot be connected; those of github and gitlab can. "
                "Its public repositories are read without one."
            )
        if not found.is_set_up:
            name = f"KIJKO_OAUTH_{provider.upper()}_CLIENT"
            raise ProviderNotConfigured(
                f"Accounts of {found.title} cannot be connected here yet: whoever runs this server has to set "
                f"{name}_ID and {name}_SECRET."
            )
        return found

    async def credential(self, principal: Principal, at: Location) -> Credential | None:
        """What the person shows to a repository's server; None where there is nothing, or nothing to be had now."""
        try:
            return await credentials.credential(self.keyring(principal), principal.user_id, at)
        except ForgeUnavailable:
            return None
