// What a bot without linda does: puppeteer-core on a persistent profile, polling until WhatsApp Web is ready.
const path = require('path');
const puppeteer = require(path.join(process.env.BENCH_NPM, 'node_modules/puppeteer-core'));

(async () => {
  const browser = await puppeteer.launch({
    executablePath: process.env.BENCH_BROWSER,
    userDataDir: process.env.BENCH_PROFILE,
    args: [
      '--user-agent=Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36',
      ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
      ...JSON.parse(process.env.BENCH_ARGS),
    ],
  });
  const [page] = await browser.pages();
  await page.goto('https://web.whatsapp.com/');
  await page.waitForFunction(
    () => {
      try {
        return document.querySelector('#pane-side') !== null
          && window.require('WAWebSocketModel').Socket.state === 'CONNECTED';
      } catch (problem) { return false; }
    },
    { polling: 20 },
  );
  console.log('ready');
  await browser.close();
})();
