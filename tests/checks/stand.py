"""A real Chromium on real profiles, against a page of our own that Chromium takes for WhatsApp Web.

The page makes a login as the real one keeps it: two keys in localStorage, a key in IndexedDB that cannot be exported,
records that only it decrypts, a large value that Chromium keeps as a blob file. On every load it tells what of that
it can still read.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import os
import shutil
import signal
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from urllib.parse import urlsplit

from linda_cli.browser.features import Features, merged
from linda_cli.sessions.storage.formats import formats_of

NUMBER = "971505760056"
NO_TRIAL = Features()
SQLITE_TRIAL = Features(
    (
        "IdbSqliteOnDiskRollout:stage/UseSqliteForNewStores",
        "DomStorageSqliteNewDatabases:DomStorageSqliteNewDatabasesStage/UseSqliteForNewDatabases",
    )
)
"""What makes a new profile keep both stores in SQLite."""
CHROMIUM = os.environ.get("LINDA_CHROME") or shutil.which("chromium") or "chromium"

PAGE = r"""<!doctype html><meta charset=utf-8><title>stand</title><script>
const asked = new URLSearchParams(location.search);
const opened = (name, stores) => new Promise((good, bad) => {
  const request = indexedDB.open(name, stores ? 1 : undefined);
  request.onupgradeneeded = () => { for (const store of stores || []) {
    const made = request.result.createObjectStore(store, {keyPath: 'id'});
    if (store === 'message') made.createIndex('by', 'by'); } };
  request.onsuccess = () => good(request.result); request.onerror = () => bad(request.error);
});
const told = request => new Promise((good, bad) => {
  request.onsuccess = () => good(request.result); request.onerror = () => bad(request.error); });
const done = change => new Promise((good, bad) => {
  change.oncomplete = good; change.onerror = change.onabort = () => bad(change.error); });
const noise = size => { const bytes = new Uint8Array(size);
  for (let at = 0; at < size; at += 65536) crypto.getRandomValues(bytes.subarray(at, Math.min(size, at + 65536)));
  return bytes; };
const put = async (name, stores, store, rows) => {
  const db = await opened(name, stores), change = db.transaction(store, 'readwrite');
  for (const row of rows) change.objectStore(store).put(row);
  await done(change); db.close(); };

async function link() {
  const rows = +asked.get('rows') || 300, filler = +asked.get('filler') || 0;
  const key = await crypto.subtle.generateKey({name: 'AES-GCM', length: 256}, false, ['encrypt', 'decrypt']);
  await put('wawc_db_enc', ['keys'], 'keys', [{id: 1, key}]);
  const iv = new Uint8Array(12), secret = noise(64);
  const sealed = await crypto.subtle.encrypt({name: 'AES-GCM', iv}, key, secret);
  const signals = [{id: 0, sealed}];
  for (let at = 1; at < 200; at++) signals.push({id: at, data: noise(400)});
  await put('signal-storage', ['signal'], 'signal', signals);
  for (let at = 0; at < rows; at += 500) {
    const messages = [];
    for (let one = at; one < Math.min(rows, at + 500); one++)
      messages.push({id: one, by: 'sender' + one % 7, body: noise(500)});
    await put('model-storage', ['message', 'media'], 'message', messages);
  }
  await put('model-storage', ['message', 'media'], 'media', [{id: 1, data: noise(300000)}]);
  for (let at = 0; at < filler; at++) localStorage['filler' + at] = 'x' + Array.from(noise(2000)).join('');
  localStorage['last-wid-md'] = JSON.stringify(asked.get('link') + ':7@c.us');
  localStorage['WANoiseInfo'] = JSON.stringify({seed: Array.from(secret)});
}
async function idle() {
  localStorage['WALangPref'] = '"en"'; localStorage['WAUnknownID'] = '"0"';
  for (const name of ['wawc', 'jobs-storage', 'offd-storage'])
    await put(name, ['props'], 'props', [{id: 1, data: noise(2000)}]);
}
async function tell() {
  const found = {wid: 'last-wid-md' in localStorage, noise: 'WANoiseInfo' in localStorage,
                 signal: false, key: false, message: false, media: false, error: ''};
  if (!found.wid && !found.noise) { found.names = (await indexedDB.databases()).map(db => db.name); return found; }
  try {
    const signals = await told((await opened('signal-storage')).transaction('signal').objectStore('signal').getAll());
    found.signal = signals.length === 200;
    const kept = await told((await opened('wawc_db_enc')).transaction('keys').objectStore('keys').get(1));
    const plain = await crypto.subtle.decrypt({name: 'AES-GCM', iv: new Uint8Array(12)}, kept.key, signals[0].sealed);
    found.key = JSON.stringify(Array.from(new Uint8Array(plain))) ===
      JSON.stringify(JSON.parse(localStorage['WANoiseInfo']).seed);
    const model = await opened('model-storage');
    found.message = (await told(model.transaction('message').objectStore('message').getAll(null, 10))).length === 10;
    try { found.media = (await told(model.transaction('media').objectStore('media').get(1))).data.length === 300000; }
    catch (error) { found.error = 'media: ' + error; }
    if (asked.has('more')) for (let round = 0; round < 3; round++)
      await put('model-storage', ['message', 'media'], 'message', [{id: 1e6 + Math.random(), body: noise(500)}]);
  } catch (error) { found.error = String(error); }
  return found;
}
(async () => {
  try { if (asked.get('link')) await link(); else if (asked.has('idle')) await idle(); }
  catch (error) { await fetch('/told', {method: 'POST', body: JSON.stringify({error: 'link: ' + error})}); return; }
  await fetch('/told?' + asked.get('run'), {method: 'POST', body: JSON.stringify(await tell())});
})();
</script>"""


@dataclass(frozen=True, slots=True)
class Told:
    """What the page could read."""

    logged_in: bool
    media: bool
    error: str
    started: bool = True


def _certificate(folder: Path) -> ssl.SSLContext:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "web.whatsapp.com")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("web.whatsapp.com"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


class Stand:
    """The server, and a way to visit it with a profile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: dict[str, Queue[dict[str, object]]] = {}
        self._count = 0
        self._lock = threading.Lock()
        stand = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = PAGE.encode() if urlsplit(self.path).path == "/" else b""
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(204)
                self.end_headers()
                run = urlsplit(self.path).query
                if run in stand._waiting:
                    stand._waiting[run].put(json.loads(body))

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        context = _certificate(folder)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def visit(
        self,
        profile: Path,
        query: str = "",
        *,
        kill: bool = False,
        patience: float = 12,
        trial: Features = NO_TRIAL,
        alone: bool = False,
        stays: float = 0.0,
    ) -> Told:
        """Start Chromium on ``profile``, wait for what the page tells, and close it (or kill it).

        It gets the features that linda would give it for what lies there; ``trial``: others besides, as a person has
        them. ``alone``: the trial's only, as a browser that linda did not start. ``stays``: seconds before it closes.
        """
        with self._lock:
            self._count += 1
            run = str(self._count)
        self._waiting[run] = answers = Queue()
        ours = f"MAP web.whatsapp.com:443 127.0.0.1:{self.server.server_address[1]}"
        command = [
            CHROMIUM,
            "--headless=new",
            f"--user-data-dir={profile}",
            "--password-store=basic",
            "--no-first-run",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            *(trial if alone else merged(Features(), trial, formats_of(profile))).arguments(),
            f"--host-resolver-rules={ours}, MAP * ~NOTFOUND",
            "--ignore-certificate-errors",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"https://web.whatsapp.com/?run={run}&{query}",
        ]
        with open(os.devnull, "r+b") as nothing:
            browser = subprocess.Popen(
                command,
                stdin=nothing,
                stdout=nothing,
                stderr=nothing,
                start_new_session=True,
                env={**os.environ, "HOME": str(self.folder)},
            )
        try:
            told = self._answer(answers, browser, patience)
            time.sleep(stays)
        finally:
            _end(browser, kill)
        if told is None:
            return Told(False, False, "the page told nothing", started=False)
        whole = all(told.get(part) for part in ("wid", "noise", "signal", "key", "message"))
        return Told(whole, bool(told.get("media")), str(told.get("error", "")))

    @staticmethod
    def _answer(
        answers: Queue[dict[str, object]], browser: subprocess.Popen[bytes], patience: float
    ) -> dict[str, object] | None:
        while patience > 0:
            with contextlib.suppress(Empty):
                return answers.get(timeout=0.25)
            patience -= 0.25
            if browser.poll() is not None:
                return None
        return None


def _end(browser: subprocess.Popen[bytes], kill: bool) -> None:
    if browser.poll() is None and not kill:
        browser.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            browser.wait(8)
    with contextlib.suppress(ProcessLookupError):
        # our own session: nothing in this group is anybody else's
        os.killpg(browser.pid, signal.SIGKILL)
    browser.wait()


@contextlib.contextmanager
def standing(folder: Path) -> Iterator[Stand]:
    """A stand for as long as the block lasts."""
    stand = Stand(folder)
    try:
        yield stand
    finally:
        stand.close()
