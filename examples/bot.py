"""A bot for ``linda start --watch bot.py -- python bot.py``: the browser stays, only this is started anew."""

import json
import os
import socket

from selenium import webdriver

options = webdriver.ChromeOptions()
options.debugger_address = os.environ["LINDA_DEBUGGER_ADDRESS"]
driver = webdriver.Chrome(options)
print("attached to", driver.title)
with socket.socket(socket.AF_UNIX) as events:
    events.connect(os.environ["LINDA_EVENTS"])
    for line in events.makefile():  # the state first, then what happens; it ends when linda does
        print("heard", json.loads(line)["event"])
