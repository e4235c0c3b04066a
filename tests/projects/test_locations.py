"""How addresses of repositories are read."""

import pytest

from kijko.models.enums import GitProvider
from kijko.services.projects.errors import InvalidRepositoryUrl
from kijko.services.projects.locations import Known, locate
from kijko.settings import Git, OAuth, Settings

ALLOWED = "127.0.0.1:8080"
KNOWN = Known.of(
    Settings(git=Git(allowed_hosts=frozenset({ALLOWED})), oauth=OAuth(gitlab_url="https://git.example.com"))
)


@pytest.mark.parametrize(
    ("given", "url", "name", "provider"),
    [
        ("https://github.com/kijko/example", "https://github.com/kijko/example", "kijko/example", "github"),
        ("  https://github.com/kijko/example.git/ ", "https://github.com/kijko/example", "kijko/example", "github"),
        ("https://GitHub.com:443/Kijko/Example", "https://github.com/Kijko/Example", "Kijko/Example", "github"),
        ("https://www.github.com/a/b", "https://github.com/a/b", "a/b", "github"),
        ("https://github.com/a/b.js", "https://github.com/a/b.js", "a/b.js", "github"),
        ("https://gitlab.com/a/b/c.git", "https://gitlab.com/a/b/c", "a/b/c", None),
        ("https://git.example.com/a/b/c", "https://git.example.com/a/b/c", "a/b/c", "gitlab"),
        ("https://bitbucket.org/team/app", "https://bitbucket.org/team/app", "team/app", "bitbucket"),
        ("https://dev.azure.com/org/proj/_git/app", "https://dev.azure.com/org/proj/_git/app", "proj/app", "azure"),
        (
            "https://dev.azure.com/org/My%20Project/_git/app",
            "https://dev.azure.com/org/My%20Project/_git/app",
            "My Project/app",
            "azure",
        ),
        ("https://org.visualstudio.com/p/_git/app", "https://org.visualstudio.com/p/_git/app", "p/app", "azure"),
        (f"http://{ALLOWED}/team/app.git", f"http://{ALLOWED}/team/app.git", "team/app", None),
        (f"http://{ALLOWED}/app.git", f"http://{ALLOWED}/app.git", "app", None),
    ],
)
def test_an_address_has_one_spelling_and_a_name(given: str, url: str, name: str, provider: str | None) -> None:
    found = locate(given, KNOWN)
    told = found.provider.value if found.provider else None
    assert (found.url, found.name) == (url, name)
    assert told == (provider if "gitlab.com" not in given else "gitlab")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "https://"),
        ("github.com/a/b", "https://"),
        ("git@github.com:a/b.git", "https://"),
        ("ssh://git@github.com/a/b", "https://"),
        ("file:///etc/passwd", "https://"),
        ("ext::sh -c id", "characters"),
        ("http://github.com/a/b", "https://"),
        ("https://me:secret@github.com/a/b", "no user name"),
        ("https://org@dev.azure.com/org/proj/_git/app", "no user name"),
        ("https://github.com", "must name a repository"),
        ("https://github.com/", "must name a repository"),
        ("https://github.com/a//b", "must name a repository"),
        ("https://github.com/a/..", "must name a repository"),
        ("https://github.com/a/%2e%2e", "must name a repository"),
        ("https://github.com/a/b%2fc", "must name a repository"),
        ("https://github.com/a", "owner/name"),
        ("https://github.com/a/b/tree/main", "owner/name"),
        ("https://github.com/a/b?tab=readme", "question mark"),
        ("https://github.com/a/b#readme", "#"),
        ("https://gitlab.com/a/b/-/tree/main", "group/name"),
        ("https://dev.azure.com/org/proj", "_git"),
        ("https://github.com:8443/a/b", "not a git server that is known"),
        ("https://org.visualstudio.com:8443/p/_git/app", "not a git server that is known"),
        ("https://git.example.org/a/b", "not a git server that is known"),
        ("https://github.com.evil.example/a/b", "not a git server that is known"),
        ("https://169.254.169.254/a/b", "not a git server that is known"),
        ("https://127.0.0.1/a/b", "not a git server that is known"),
        ("http://127.0.0.1:8081/a/b", "https://"),
        ("https://0x7f000001/a/b", "unusual spelling"),
        ("https://2130706433/a/b", "unusual spelling"),
        ("https://[::1]/a/b", "not a git server that is known"),
        ("https://github.com/" + "a" * 2000 + "/b", "too long"),
    ],
)
def test_what_is_no_repositorys_address_is_refused_in_words(given: str, said: str) -> None:
    with pytest.raises(InvalidRepositoryUrl) as caught:
        locate(given, KNOWN)
    assert said in caught.value.detail
    assert caught.value.detail.endswith(".")
    assert "secret" not in caught.value.detail


def test_the_provider_must_be_the_addresss_own_unless_the_host_is_on_the_allow_list() -> None:
    with pytest.raises(InvalidRepositoryUrl, match="GitHub's, and the provider says GitLab"):
        locate("https://github.com/a/b", KNOWN, provider=GitProvider.GITLAB)
    for provider in GitProvider:
        assert locate(f"http://{ALLOWED}/a/b", KNOWN, provider=provider).provider is None


def test_a_host_that_is_only_allowed_is_nobodys_so_that_no_token_is_shown_to_it() -> None:
    assert locate(f"http://{ALLOWED}/a/b", KNOWN, provider=GitProvider.GITHUB).provider is None
