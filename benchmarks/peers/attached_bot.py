"""The bot that runs under ``linda start --watch``: attached and ready by the same rule."""

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

options = webdriver.ChromeOptions()
options.debugger_address = os.environ["LINDA_DEBUGGER_ADDRESS"]
driver = webdriver.Chrome(options=options, service=Service(os.environ["BENCH_DRIVER"]))
while not driver.execute_script(READY):
    time.sleep(0.02)
print("ready", flush=True)
signal.pause()
