"""What `up` prints once everything answers."""

from kijko.commands.terminal import table
from kijko.local.attach import parts_of
from kijko.local.environment import DEV_PLAN
from kijko.local.stack import Stack


def welcome(stack: Stack, seconds: float) -> str:
    """What runs where, how to sign in, and three commands to try."""
    values = stack.environment()
    site = stack.site
    rows = [[part["name"], str(part["state"]), part["address"]] for part in parts_of(site)]
    lines = [table(("PART", "STATE", "ADDRESS"), rows), "", f"Ready after {seconds:.0f} s. Logs: {stack.home.logs}"]
    if "api" in site.state.names:
        lines += ["", *_try(values["KIJKO_API_URL"], values["KIJKO_DEV_EMAIL"], values["KIJKO_DEV_PASSWORD"])]
    if "KIJKO_MAIL_URL" in values and "mail" in site.state.names:
        lines += ["", f"Mail that is sent here: {values['KIJKO_MAIL_URL']}"]
    return "\n".join([*lines, "", "Ctrl-C stops everything; data stays.", ""])


def _try(url: str, email: str, password: str) -> list[str]:
    return [
        f"The API's pages: {url}/docs    Demo login: {email} / {password} (plan {DEV_PLAN})",
        "",
        "Three commands to try:",
        *(f"  {command}" for command in commands(url, email, password)),
    ]


def commands(url: str, email: str, password: str) -> list[str]:
    """Log in, make a skill, run it: for a shell, in this order. A second round makes a second skill."""
    json = "-H 'Content-Type: application/json'"
    login = f'{{"email": "{email}", "password": "{password}"}}'
    skill = '{"name": "Greet \'$(date +%s)\'", "promptTemplate": "Hello, {{name}}!", "model": "echo"}'
    return [
        f"TOKEN=$(curl -s {url}/api/auth/login {json} -d '{login}' | {_pick('access_token')})",
        f"SKILL=$(curl -s {url}/api/skills {json} -H \"Authorization: Bearer $TOKEN\" -d '{skill}' | {_pick('id')})",
        f'curl -s "{url}/api/skills/$SKILL/execute?wait=30" {json} -H "Authorization: Bearer $TOKEN"'
        """ -d '{"input": {"name": "Ada"}}'""",
    ]


def _pick(name: str) -> str:
    """A shell filter that takes the first field of this name out of an answer; everybody has these three programs."""
    return f"""grep -o '"{name}" *: *"[^"]*"' | head -n 1 | cut -d'"' -f4"""
