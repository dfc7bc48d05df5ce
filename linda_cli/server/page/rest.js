// The REST door, with the token of this tab.

const KEPT = "linda-token";

export const token = {
  get: () => sessionStorage.getItem(KEPT),
  set: (value) => (value ? sessionStorage.setItem(KEPT, value) : sessionStorage.removeItem(KEPT)),
};

export class Problem extends Error {
  constructor(status, told) {
    super(told.detail || told.title || `the server answered ${status}`);
    this.status = status;
    this.hint = told.hint || "";
  }
}

async function ask(method, path, body) {
  const headers = {};
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answered = await fetch(`/whatsapp/${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answered.ok) throw new Problem(answered.status, await answered.json().catch(() => ({})));
  return answered;
}

export const get = async (path) => (await ask("GET", path)).json();
export const post = async (path, body) => (await ask("POST", path, body)).json();
export const remove = async (path) => (await ask("DELETE", path)).json();

export async function picture(path) {
  const answered = await ask("GET", path);
  return { url: URL.createObjectURL(await answered.blob()), left: Number(answered.headers.get("X-Expires-In")) };
}
