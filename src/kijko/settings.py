"""Every setting of every process, read once from the environment in the composition roots and passed down.

A variable is `KIJKO_` + group + `_` + name: `KIJKO_DATABASE_API_URL` is `settings.database.api_url`. No secret has a
default: a process that needs one and lacks it refuses to start and names the variable.
"""

from functools import cache
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from kijko.setting_errors import MissingSetting, WrongSetting, sentences
from kijko.setting_kinds import FernetKeys, HostAndPort, Network, Origin, PostgresUrl, RedisUrl, Sender, StorageUrl, Url


class Group(BaseModel):
    """A frozen group of settings; an unknown name in it is refused, so that a typing error does not pass silently."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Database(Group):
    """Postgres (or Supabase). Three logins: the owner migrates, the API and the worker work."""

    url: PostgresUrl | None = None
    """The owner's URL, for `kijko migrate`, `seed`, `plan` and `doctor` only. Serving processes do not need it."""
    api_url: PostgresUrl | None = None
    """The API's URL: the role `kijko_api`, which owns nothing and bypasses nothing."""
    worker_url: PostgresUrl | None = None
    """The worker's and scheduler's URL: the role `kijko_worker`, which may become `service_role`."""
    pool_size: int = Field(8, ge=1, le=200)
    """Connections a process keeps at the most."""
    statement_timeout_ms: int = Field(10_000, ge=100)
    connect_timeout_s: float = Field(5, gt=0)
    acquire_timeout_s: float = Field(5, gt=0)
    """How long a request waits for a free connection before it is answered with 503."""
    prepared_statements: bool = True
    """False behind a pooler in transaction mode, which does not keep named statements."""


class Redis(Group):
    """Redis or Valkey: Celery's broker, counters, caches and notices. It never decides what is true."""

    url: RedisUrl | None = None
    timeout_s: float = Field(2, gt=0)


class Keycloak(Group):
    """The sign-in server and this API's confidential client in its realm."""

    url: Url | None = None
    """Where this process reaches Keycloak."""
    public_url: Url | None = None
    """Where a browser reaches it, and the base of the issuer; default `url`."""
    management_url: Url | None = None
    """Its management port, where this process can: /health then sees its database too."""
    realm: str = "kijko"
    client_id: str = "kijko-api"
    client_secret: SecretStr | None = None
    timeout_s: float = Field(5, gt=0)
    home: str | None = None
    """For `kijko up` alone: the folder of an unpacked Keycloak, where none can be downloaded."""


class Provider(BaseModel):
    """Google or GitHub to sign in with. Keycloak is who talks to it, and reads these and more of its variables."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_id: str | None = None
    """The same as in Keycloak's environment. Without it nobody is sent there."""


class TrustedIssuer(Group):
    """A further token issuer whose keys are fetched from `jwks_url`. Kijko's own tests sign with one."""

    issuer: str
    jwks_url: Url


class Auth(Group):
    """How tokens are checked and how often signing in may be tried."""

    audience: str = "kijko-api"
    algorithm: Literal["RS256", "ES256", "EdDSA"] = "RS256"
    leeway_s: int = Field(5, ge=0, le=60)
    trusted_issuers: tuple[TrustedIssuer, ...] = ()
    """JSON: [{"issuer": …, "jwks_url": …}], besides the realm of `keycloak`."""
    jwks_refetch_s: float = Field(5, gt=0)
    """The least time between two fetches of the keys on account of an unknown `kid`."""
    access_token_s: int = Field(300, ge=30)
    """How long an access token can live at the most; an ended session is remembered at least as long."""
    attempts_per_minute: int = Field(5, ge=1)
    """Logins, and signups, a minute for each address and each e-mail."""
    refreshes_per_minute: int = Field(30, ge=1)
    refused_keys_per_minute: int = Field(30, ge=1)
    """Requests with API keys that do not work, a minute for each address; one that works is not counted."""
    invitations_per_minute: int = Field(30, ge=1)
    """Requests that invite somebody, a minute for each person and each address."""
    refresh_reuse_s: int = Field(10, ge=0)
    """For how long the same refresh token again gets the first answer."""
    encryption_key: FernetKeys | None = None
    """A Fernet key (32 bytes, url-safe base64) for what must be read again: kept answers and pending sign-ins."""


class Http(Group):
    """The API's edge."""

    body_limit_bytes: int = Field(1_048_576, ge=1024)
    cors_origins: tuple[Origin, ...] = ("https://app.kijko.nl", "http://localhost:3000")
    """Sites whose pages may call the API; that of `web_url` may anyway."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks (CIDR) whose X-Forwarded-For is believed."""
    docs: bool | None = None
    """Whether /docs and /openapi.json are served; default: everywhere but in production."""


class Storage(Group):
    """Where uploaded files are kept, and how much one upload may bring."""

    url: StorageUrl | None = None
    """`file:///folder`, or `s3://bucket/prefix` for S3 and what speaks it."""
    endpoint: Url | None = None
    """S3's address where it is not Amazon's: Supabase's is https://<project>.storage.supabase.co/storage/v1/s3."""
    region: str = "us-east-1"
    access_key_id: str | None = None
    """Default: what the machine's role gives."""
    secret_access_key: SecretStr | None = None
    allow_http: bool = False
    """Whether the endpoint may be reached without TLS."""
    timeout_s: float = Field(60, gt=0)
    """The deadline of one request to the store."""
    max_file_bytes: int = Field(104_857_600, ge=1)
    """One uploaded file, and one file in a zip."""
    max_request_bytes: int = Field(1_073_741_824, ge=1024)
    """One upload with all its files."""
    max_files: int = Field(1000, ge=1)
    """Files of one upload."""
    max_zip_files: int = Field(10_000, ge=1)
    max_zip_bytes: int = Field(1_000_000_000, ge=1)
    """A zip's files, unpacked."""
    max_zip_ratio: int = Field(100, ge=1)
    """How many times its own size a zip may unpack to."""
    max_at_once: int = Field(4, ge=1)
    """Uploads that one person may have under way in one process: each has its files on the disk until it ends."""
    idle_s: float = Field(30, gt=0)
    """An upload of which nothing more comes for so long is broken off."""
    spool: str | None = None
    """A folder for what is being received; default the system's. Not in memory, please."""


class Stripe(Group):
    """Stripe, or a stand-in at another address."""

    api_base: Url = "https://api.stripe.com"
    secret_key: SecretStr | None = None
    webhook_secret: SecretStr | None = None
    timeout_s: float = Field(5, gt=0)


class Git(Group):
    """Reading repositories: whom they may be read from, for how long, and how much."""

    allowed_hosts: frozenset[HostAndPort] = frozenset()
    """JSON: ["127.0.0.1:8080"]: `host:port` pairs that may be private addresses and speak http. None by default."""
    answer_s: float = Field(15, gt=0)
    """How long a git server may take to say what it has."""
    fetch_s: float = Field(600, gt=0)
    """How long one fetch may take."""
    max_bytes: int = Field(1_000_000_000, ge=1_000_000)
    """What one repository may take on disk, compressed as git keeps it."""
    max_files: int = Field(100_000, ge=1)
    """Files in one commit."""
    max_file_bytes: int = Field(2_000_000, ge=1000)
    """A larger file is not fetched where the server can leave it out, and never read."""
    max_text_bytes: int = Field(2_000_000_000, ge=1_000_000)
    """What a repository's files that are read may have in all, as they are: what is alike takes git no room."""
    memory_bytes: int = Field(1_500_000_000, ge=500_000_000)
    """Address space of each git process; a repository that needs more to unpack is refused."""


class OAuth(Group):
    """Accounts at git providers that people connect, so that private repositories can be read: an OAuth app at each."""

    github_url: Url = "https://github.com"
    github_api_url: Url = "https://api.github.com"
    github_client_id: str | None = None
    github_client_secret: SecretStr | None = None
    gitlab_url: Url = "https://gitlab.com"
    gitlab_client_id: str | None = None
    gitlab_client_secret: SecretStr | None = None
    redirect_url: Url | None = None
    """The web app's page where a provider sends the browser back; default `web_url` + /oauth/callback."""
    timeout_s: float = Field(10, gt=0)
    """The deadline of one call to a provider."""


class Mail(Group):
    """The mail server that Kijko's own mails (invitations) go through. Without a host they wait in the outbox."""

    host: str | None = None
    port: int = Field(587, ge=1, le=65535)
    user: str | None = None
    password: SecretStr | None = None
    tls: Literal["none", "starttls", "tls"] = "starttls"
    """How the connection is encrypted; a user's password is not sent over one that is not, but to this machine."""
    sender: Sender = "Kijko <no-reply@localhost>"
    """Whom mails are from: an address, or `Name <address>`."""
    timeout_s: float = Field(10, gt=0)
    """The deadline of connecting, and of each step of handing a mail over."""
    lease_s: float = Field(180, gt=0)
    """A mail that is being sent is taken up by another process after so long; longer than sending one may take."""
    language: Literal["en", "nl"] = "en"
    """The language of mails where the browser of who invites prefers neither English nor Dutch."""
    url: str | None = None
    """Where the local stack shows the mail it has caught; for `kijko status` and `doctor` alone."""


class Models(Group):
    """Model providers: the server's own keys and, where a provider stands elsewhere, its address."""

    default: str = "echo"
    anthropic_api_key: SecretStr | None = None
    anthropic_base_url: Url | None = None
    google_api_key: SecretStr | None = None
    google_base_url: Url | None = None
    openai_api_key: SecretStr | None = None
    openai_base_url: Url | None = None
    timeout_s: float = Field(300, gt=0)
    """The deadline of one model call."""
    trial_timeout_s: float = Field(120, gt=0, le=120)
    """The deadline of a trial, for which somebody waits at an open connection."""


class Embedding(Group):
    """Vectors for search, by what speaks OpenAI's /v1/embeddings; without a model there are none."""

    model: str | None = None
    """The model's name; a project's own settings.embeddingModel stands instead of it."""
    base_url: Url | None = None
    """Default: OpenAI's. Ends with /v1."""
    api_key: SecretStr | None = None
    """What asks for none is given a word."""
    dimensions: int | None = Field(None, ge=8, le=2000)
    """Asked for where the model can give vectors of several lengths: shorter ones are searched faster."""
    projects: Literal["all", "vector"] = "all"
    """Whose code is sent there: every project's, or only theirs whose settings.outputFormat is vector."""
    batch: int = Field(64, ge=1, le=512)
    """Chunks of one request."""
    timeout_s: float = Field(60, gt=0)
    question_timeout_s: float = Field(2, gt=0)
    """How long a search waits for its question's vector, before it does without."""
    lease_s: float = Field(180, gt=1)
    max_attempts: int = Field(8, ge=1)
    """Failures one after another, each waited out longer, until a project's vectors are given up."""


class Worker(Group):
    """The worker and its sweeper."""

    concurrency: int = Field(1000, ge=1)
    """Executions one worker process holds at once."""
    held_characters: int = Field(16_000_000, ge=1)
    """Characters of long prompts that one worker process holds at once; further ones wait for room. A character takes
    up to four bytes, in the prompt and again in an answer that repeats it."""
    batch: int = Field(50, ge=1, le=1000)
    """Rows claimed, and results written, in one statement at the most."""
    lease_s: float = Field(30, gt=1)
    """A claimed row whose lease ran out is taken up by another worker. A living worker renews it in time."""
    sweep_s: float = Field(2, gt=0)
    """How often the scheduler looks for rows that wait without a worker knowing."""
    max_attempts: int = Field(3, ge=1)
    run_s: float = Field(1800, gt=0)
    """How long a run may take from its first begin, with all its attempts and the waits between them."""


class Ingestion(Group):
    """Ingestions, as a worker does them."""

    concurrency: int = Field(2, ge=1, le=100)
    """Ingestions one worker process holds at once."""
    processes: int = Field(2, ge=1, le=64)
    """Processes that read files, for all of a worker's ingestions together."""
    process_bytes: int = Field(300_000_000, ge=50_000_000)
    """A process that keeps more memory than that is replaced between two jobs."""
    process_address_bytes: int = Field(2_000_000_000, ge=500_000_000)
    """Address space of each such process; a file that needs more costs itself."""
    file_s: float = Field(20, gt=0)
    """How long one file may take to be read. One that takes longer is an error of the ingestion, and no more."""
    workspace: str | None = None
    """A folder of this machine for fetched repositories; default one in the system's for temporary files."""
    workspace_bytes: int = Field(20_000_000_000, ge=1_000_000)
    """What that folder may keep; above it, repositories that were not used longest are fetched anew."""
    history: int = Field(200, ge=1, le=10_000)
    """Commits that are looked through for who changed each file last, where a project wants that."""
    lease_s: float = Field(20, gt=1)
    """An ingestion whose lease ran out is taken up by another worker. A living worker renews it in time."""
    max_attempts: int = Field(3, ge=1)
    list_length: int = Field(200, ge=1, le=10_000)
    """Skipped files, errors and secrets that an ingestion names; the rest it counts."""


class Events(Group):
    """The logs of rooms."""

    keep_s: float = Field(86_400, gt=0)
    """How long an event can still be asked for."""
    connections: int = Field(50, ge=1)
    """Sockets that one person may have open at once, in all processes of the API together."""
    organization_connections: int = Field(5_000, ge=1)
    """The same for all people of one organization together."""
    count_timeout_s: float = Field(0.1, gt=0)
    """So long a handshake waits for Redis, which counts them; after that each process counts for itself."""
    silence_s: float = Field(6, ge=1)
    """A process of the API that told Redis nothing for so long is taken for dead, and its sockets are forgotten. Each
    says three times in that time that it lives."""
    presence_grace_s: float = Field(10, ge=0)
    """So long after their last connection a person still counts as there."""


class Keys(Group):
    """API keys of organizations, and the master keys of what they keep at model providers."""

    per_organization: int = Field(100, ge=1)
    """Living API keys that one organization may have at once."""
    master: FernetKeys | None = None
    """Keys of 32 bytes in url-safe base64, as Fernet's are, separated by commas: organizations' own model keys lie
    under the first; those under a later one are read too, until `kijko rotate-master` has moved them."""


class Log(Group):
    """Where the log goes is the process's own stdout; this says how."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "json", "console"] = "auto"


class _Environment(EnvSettingsSource):
    """The environment; what should be JSON and is none is left to the check of its field, which names the variable."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # Any: as the library has it
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


class Settings(BaseSettings):
    """All of the above. Build it once (`load()`), pass it down."""

    model_config = SettingsConfigDict(
        env_prefix="KIJKO_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
    )

    environment: Literal["development", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    public_url: Url = "http://localhost:8000"
    """Where the world reaches this API."""
    web_url: Url = "http://localhost:3000"
    """Where the web app stands: the target of links in mails and of a finished sign-in."""

    database: Database = Database()
    redis: Redis = Redis()
    keycloak: Keycloak = Keycloak()
    google: Provider = Provider()
    github: Provider = Provider()
    auth: Auth = Auth()
    http: Http = Http()
    stripe: Stripe = Stripe()
    git: Git = Git()
    storage: Storage = Storage()
    oauth: OAuth = OAuth()
    mail: Mail = Mail()
    models: Models = Models()
    embedding: Embedding = Embedding()
    worker: Worker = Worker()
    ingestion: Ingestion = Ingestion()
    events: Events = Events()
    keys: Keys = Keys()
    log: Log = Log()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed by name, then the environment."""
        return init_settings, _Environment(settings_cls)

    @property
    def origins(self) -> tuple[str, ...]:
        """Whose pages may call the API: `http.cors_origins`, and the web app of this installation."""
        web = urlsplit(self.web_url)
        return tuple(dict.fromkeys((*self.http.cors_origins, f"{web.scheme}://{web.netloc}".lower())))

    @property
    def with_docs(self) -> bool:
        """Whether the documentation is served: where `http.docs` does not say so, outside production."""
        return self.environment != "production" if self.http.docs is None else self.http.docs

    def is_set_up(self, provider: str) -> bool:
        """Whether people can sign in with `google` or `github`; False for any other name."""
        return bool({"google": self.google.client_id, "github": self.github.client_id}.get(provider))


def required(value: SecretStr | str | None, name: str) -> str:
    """The value of a setting that may not be empty, in clear.

    Raises:
        MissingSetting: it is absent or empty; `name` is the variable to set.
    """
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if not text:
        raise MissingSetting(name)
    return text


def require(settings: Settings, *names: str) -> None:
    """Refuse to start without what a process cannot do without; `names` are such as `database.api_url`.

    Raises:
        MissingSetting: one of them is absent or empty.
    """
    for name in names:
        group, field = name.split(".")
        required(getattr(getattr(settings, group), field), f"KIJKO_{group}_{field}".upper())


def read() -> Settings:
    """The settings that the environment has now.

    Raises:
        WrongSetting: some of them cannot be right; a sentence for each.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise WrongSetting(sentences(error, Settings)) from None


@cache
def load() -> Settings:
    """The settings of this process, read on the first call. Raises WrongSetting."""
    return read()
