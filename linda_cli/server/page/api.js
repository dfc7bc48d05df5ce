// REST, with the token of this tab. Paths are relative to the page, so that it works below any path of a proxy.

export const ROOT = new URL(".", document.baseURI);
const KEPT = "linda-token";

export const token = {
  get: () => sessionStorage.getItem(KEPT),
  set: (value) => (value ? sessionStorage.setItem(KEPT, value) : sessionStorage.removeItem(KEPT)),
};

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `the server answered ${status}`);
    this.status = status;
    this.hint = body.hint || "";
  }
}

async function ask(method, path, body) {
  const headers = {};
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answered;
  try {
    answered = await fetch(new URL(`whatsapp/${path}`, ROOT), {
      method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store",
    });
  } catch {
    throw new Problem(0, { detail: "The server cannot be reached." });
  }
  if (!answered.ok) throw new Problem(answered.status, await answered.json().catch(() => ({})));
  return answered;
}

const json = async (answered) => (answered.status === 204 ? null : answered.json());
export const get = async (path) => json(await ask("GET", path));
export const post = async (path, body) => json(await ask("POST", path, body));
export const patch = async (path, body) => json(await ask("PATCH", path, body));
export const remove = async (path) => json(await ask("DELETE", path));

export async function picture(path, body) {
  const answered = await ask(body === undefined ? "GET" : "POST", path, body);
  return { url: URL.createObjectURL(await answered.blob()), left: Number(answered.headers.get("X-Expires-In")) };
}

// A download needs the token as well, which a plain link would not send.
export async function download(path, name) {
  const url = URL.createObjectURL(await (await ask("GET", path)).blob());
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}
