"""Where this server may be sent on somebody's word: forty ways of writing a private address, and none gets through."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import httpx
import pytest

from kijko.clients import outbound
from kijko.clients.git import Git, GitFailure
from kijko.core.addresses import AddressRefused, Unresolvable, is_public, resolve, target
from kijko.settings import Git as GitSettings

PUBLIC = "93.184.216.34"
NAMES = {
    "public.test": [PUBLIC],
    "both.test": [PUBLIC, "10.0.0.1"],
    "six.test": [PUBLIC, "::1"],
    "loopback.test": ["127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "localhost": ["127.0.0.1", "::1"],
    "scoped.test": ["fe80::1%eth0"],
    "odd.test": ["not an address"],
    "empty.test": [],
}


async def names(host: str, _: int) -> list[str]:
    if host not in NAMES:
        raise OSError("no such name")
    return NAMES[host]


BAD = [
    "http://public.test/x",
    "ftp://public.test/x",
    "file:///etc/passwd",
    "ssh://git@public.test/x",
    "git://public.test/x",
    "ext::sh -c id",
    "gopher://public.test/x",
    "javascript:alert(1)",
    "//public.test/x",
    "public.test/x",
    "git@public.test:team/app.git",
    "https://",
    "https:///x",
    "https://:443/x",
    "https://public.test:0/x",
    "https://public.test:/x",
    "https://public.test:65536/x",
    "https://public.test:-1/x",
    "https://public.test:4 43/x",
    "https://user@public.test/x",
    "https://user:dev-only@public.test/x",
    "https://public.test@127.0.0.1/x",
    "https://127.0.0.1\\@public.test/x",
    "https://public.test\\.evil.test/x",
    "https://public.test/x#y",
    "https://public.test/x y",
    "https://public.test/x\ny",
    "https://public.test/x%0d%0ay",
    "https://public.test/\x00",
    "https://pub%6cic.test/x",
    "https://ｐublic.test/x",
    "https://①②⑦.0.0.1/x",
    "https://-a.test/x",
    "https://a..test/x",
    "https://public.test../x",
    "https://2130706433/x",
    "https://0x7f000001/x",
    "https://0x7f.0.0.1/x",
    "https://0177.0.0.1/x",
    "https://017700000001/x",
    "https://127.1/x",
    "https://127.0.1/x",
    "https://127.0.0.1/x",
    "https://127.0.0.1./x",
    "https://127.0.0.1:8080/x",
    "https://0.0.0.0/x",
    "https://10.1.2.3/x",
    "https://100.64.0.1/x",
    "https://100.100.100.200/latest",
    "https://168.63.129.16/x",
    "https://169.254.169.254/latest/meta-data",
    "https://172.16.0.1/x",
    "https://172.31.255.255/x",
    "https://192.168.1.1/x",
    "https://192.0.0.192/x",
    "https://198.18.0.1/x",
    "https://203.0.113.1/x",
    "https://224.0.0.1/x",
    "https://240.0.0.1/x",
    "https://255.255.255.255/x",
    "https://[::1]/x",
    "https://[::]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://[::ffff:7f00:1]/x",
    "https://[::127.0.0.1]/x",
    "https://[0:0:0:0:0:0:0:1]/x",
    "https://[64:ff9b::7f00:1]/x",
    "https://[64:ff9b:1::1]/x",
    "https://[2002:7f00:1::]/x",
    "https://[2001:0:7f00:1::]/x",
    "https://[2001:db8::1]/x",
    "https://[fc00::1]/x",
    "https://[fd00:ec2::254]/x",
    "https://[fe80::1]/x",
    "https://[fe80::1%25eth0]/x",
    "https://[fec0::1]/x",
    "https://[ff02::1]/x",
    "https://[::1]public.test/x",
    "https://[127.0.0.1]/x",
    "https://localhost/x",
    "https://LOCALHOST./x",
    "https://loopback.test/x",
    "https://metadata.test/x",
    "https://both.test/x",
    "https://six.test/x",
    "https://scoped.test/x",
    "https://public.test/" + "x" * 2000,
]


async def ask(url: str, allowed: frozenset[str] = frozenset()) -> list[str]:
    to = target(url, allowed=allowed)
    return [str(each) for each in await resolve(to.host, to.port, allowed=allowed, resolver=names)]


@pytest.mark.parametrize("url", BAD)
async def test_a_bad_address_is_refused_with_a_sentence(url: str) -> None:
    with pytest.raises(AddressRefused) as caught:
        await ask(url)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("url", BAD)
async def test_no_git_is_started_for_a_bad_address(url: str) -> None:
    with pytest.raises(GitFailure) as caught:
        await Git(GitSettings(), resolver=names).refs(url)
    assert caught.value.code in {"INVALID_REPOSITORY_URL", "ADDRESS_REFUSED"}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://public.test/team/app.git", "public.test"),
        ("https://PUBLIC.test./x", "public.test"),
        ("https://public.test:8443/x?y=1", "public.test"),
        (f"https://{PUBLIC}/x", PUBLIC),
        ("https://[2606:2800:220:1::1]/x", "2606:2800:220:1::1"),
    ],
)
async def test_a_public_address_is_let_through_in_one_spelling(url: str, host: str) -> None:
    assert target(url).host == host
    assert await ask(url) == [PUBLIC if ":" not in host else host]


def test_a_url_comes_out_as_it_will_be_called() -> None:
    assert target("https://A.test.:443/x?y").url == "https://a.test/x?y"
    assert target("https://[2606:2800:220:1::1]:8443/x").url == "https://[2606:2800:220:1::1]:8443/x"


@pytest.mark.parametrize("host", ["nobody.test", "empty.test", "odd.test"])
async def test_a_name_without_an_address_is_said_to_be_none(host: str) -> None:
    with pytest.raises(Unresolvable):
        await ask(f"https://{host}/x")


async def test_a_pair_on_the_list_may_be_private_and_without_tls_and_only_that_pair() -> None:
    allowed = frozenset({"127.0.0.1:8080", "loopback.test:443", "[::1]:8080"})
    assert await ask("http://127.0.0.1:8080/x", allowed) == ["127.0.0.1"]
    assert await ask("https://loopback.test/x", allowed) == ["127.0.0.1"]
    assert await ask("http://[::1]:8080/x", allowed) == ["::1"]
    for url in ("http://127.0.0.1:8081/x", "http://127.0.0.1/x", "https://loopback.test:8443/x", "https://[::1]/x"):
        with pytest.raises(AddressRefused):
            await ask(url, allowed)


async def test_the_system_is_asked_where_nothing_else_is_given() -> None:
    with pytest.raises(AddressRefused):
        await resolve("localhost", 443)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "192.0.3.1", "172.32.0.1", "2606:4700::1111", "2a00::1"])
def test_an_ordinary_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


class _Redirects(BaseHTTPRequestHandler):
    """Sends everybody to what its path says after /to/, and counts who came."""

    to = ""
    came: list[str] = []

    def do_GET(self) -> None:
        self.came.append(self.path)
        self.send_response(302)
        self.send_header("Location", self.to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def redirects() -> Iterator[tuple[str, type[_Redirects]]]:
    handler = type("Handler", (_Redirects,), {"came": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


_SUFFIX = "/info/refs?service=git-upload-pack"


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("http://127.0.0.1:1/x", "ADDRESS_REFUSED"),
        ("https://127.0.0.1/x", "ADDRESS_REFUSED"),
        ("https://169.254.169.254/x", "ADDRESS_REFUSED"),
        ("https://[::ffff:10.0.0.1]/x", "ADDRESS_REFUSED"),
        ("https://loopback.test/x", "ADDRESS_REFUSED"),
        ("https://2130706433/x", "ADDRESS_REFUSED"),
        ("https://user:dev-only@public.test/x", "ADDRESS_REFUSED"),
        ("file:///etc", "ADDRESS_REFUSED"),
        ("//localhost/x", "ADDRESS_REFUSED"),
    ],
)
async def test_a_redirect_to_a_private_address_is_refused(
    redirects: tuple[str, type[_Redirects]], to: str, code: str
) -> None:
    pair, handler = redirects
    handler.to = to + _SUFFIX
    with pytest.raises(GitFailure) as caught:
        await Git(GitSettings(allowed_hosts=frozenset({pair})), resolver=names).refs(f"http://{pair}/x.git")
    assert caught.value.code == code
    assert handler.came == ["/x.git" + _SUFFIX]


@pytest.mark.parametrize(
    ("to", "code"), [("/x.git" + _SUFFIX, "REPOSITORY_UNREACHABLE"), ("/sign-in", "REPOSITORY_NOT_FOUND")]
)
async def test_a_redirect_that_leads_nowhere_ends(redirects: tuple[str, type[_Redirects]], to: str, code: str) -> None:
    pair, handler = redirects
    handler.to = to
    with pytest.raises(GitFailure) as caught:
        await Git(GitSettings(allowed_hosts=frozenset({pair}))).refs(f"http://{pair}/x.git")
    assert caught.value.code == code
    assert len(handler.came) <= 6


async def test_outbound_calls_go_to_the_checked_address_and_follow_nothing(
    redirects: tuple[str, type[_Redirects]],
) -> None:
    pair, handler = redirects
    port = pair.rpartition(":")[2]
    handler.to = "https://public.test/"
    async with outbound.client(allowed=frozenset({f"loopback.test:{port}"}), resolver=names) as http:
        answer = await http.get(f"http://loopback.test:{port}/hook")
        assert (answer.status_code, handler.came) == (302, ["/hook"])
        with pytest.raises(AddressRefused):
            await http.get("https://metadata.test/")
        with pytest.raises(AddressRefused):
            await http.get(f"http://127.0.0.1:{port}/")
        with pytest.raises(httpx.ConnectError):
            await http.get("https://nobody.test/")
    assert handler.came == ["/hook"]


async def test_outbound_tries_every_address_and_says_when_none_answers() -> None:
    async with outbound.client(allowed=frozenset({"localhost:1"}), resolver=names) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("http://localhost:1/")
