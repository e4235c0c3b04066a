// Shows the API's documentation, and signs in from it: the form asks POST /api/auth/login for a token, which every
// "Try it out" then carries. The token lives in this page alone and is refreshed shortly before it expires.
"use strict";

let loaded;
const described = new Promise((resolve) => { loaded = resolve; });
const ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  tryItOutEnabled: true,
  validatorUrl: null,
  onComplete: loaded,
});

const form = document.getElementById("sign-in");
const says = document.getElementById("sign-in-says");
const credentials = document.getElementById("credentials");
const signOut = document.getElementById("sign-out");
let timer;
let token;

async function post(path, body, token) {
  const headers = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(path, { method: "POST", headers, body: body && JSON.stringify(body) });
  const content = await answer.json().catch(() => null); // none, or a page of a proxy in between
  if (!answer.ok) throw new Error(content?.detail ?? `The server answered ${answer.status}.`);
  return content;
}

function show(text, signedIn) {
  says.textContent = text;
  credentials.hidden = signedIn;
  signOut.hidden = !signedIn;
}

function use(tokens) {
  token = tokens.access_token;
  // Before it has the document, the page knows no way to sign in, and would forget the token.
  described.then(() => token && ui.preauthorizeApiKey("bearer", token));
  signOut.onclick = () => leave(tokens.access_token);
  clearTimeout(timer);
  timer = setTimeout(() => renew(tokens.refresh_token), Math.max(5, tokens.expires_in - 30) * 1000);
}

async function renew(refreshToken) {
  try {
    use(await post("api/auth/refresh", { refresh_token: refreshToken }));
  } catch (error) {
    token = undefined;
    ui.authActions.logout(["bearer"]);
    show(`Signed out: ${error.message}`, false);
  }
}

async function leave(last) {
  clearTimeout(timer);
  token = undefined;
  ui.authActions.logout(["bearer"]);
  await post("api/auth/logout", undefined, last).catch(() => undefined);
  show("Signed out.", false);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = new FormData(form);
  says.textContent = "Signing in …";
  try {
    use(await post("api/auth/login", { email: fields.get("email"), password: fields.get("password") }));
    show(`Signed in as ${fields.get("email")}.`, true);
    form.elements.password.value = "";
  } catch (error) {
    says.textContent = error.message;
  }
});
