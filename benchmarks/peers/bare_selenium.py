"""What a bot without linda does: plain Selenium on a persistent profile, polling until WhatsApp Web is ready."""

import json
import os
import signal
import time

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

READY = """
try {
  return document.querySelector('#pane-side') !== null
    && window.require('WAWebSocketModel').Socket.state === 'CONNECTED';
} catch (problem) { return false; }
"""

if os.environ.get("BENCH_STAY"):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
options = webdriver.ChromeOptions()
options.binary_location = os.environ["BENCH_BROWSER"]
options.add_argument("--headless=new")
options.add_argument(f"--user-data-dir={os.environ['BENCH_PROFILE']}")
options.add_argument("--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36")
if os.geteuid() == 0:
    options.add_argument("--no-sandbox")
for argument in json.loads(os.environ["BENCH_ARGS"]):
    options.add_argument(argument)
driver = webdriver.Chrome(options=options, service=Service(os.environ["BENCH_DRIVER"]))
driver.get("https://web.whatsapp.com/")
while not driver.execute_script(READY):
    time.sleep(0.02)
print("ready", flush=True)
if os.environ.get("BENCH_STAY"):
    # Ends as a bot that is restarted by nodemon has to: with its browser.
    signal.sigwait({signal.SIGTERM})
driver.quit()
