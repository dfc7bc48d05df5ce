// RemoteAuth's own compress and uncompress on the files it is given; one command per line, milliseconds back.
const path = require('path');
const fs = require('fs');
const RemoteAuth = require(path.join(process.env.BENCH_NPM, 'node_modules/whatsapp-web.js/src/authStrategies/RemoteAuth.js'));

const auth = new RemoteAuth({ store: {}, backupSyncIntervalMs: 60000, dataPath: process.env.BENCH_DATA });
auth.sessionName = 'RemoteAuth';
auth.userDataDir = process.env.BENCH_LOGIN;
const zip = path.join(auth.dataPath, 'RemoteAuth.zip');

const bytes = (folder) => fs.readdirSync(folder, { recursive: true, withFileTypes: true })
  .reduce((sum, one) => sum + (one.isFile() ? fs.statSync(path.join(one.parentPath, one.name)).size : 0), 0);

require('readline').createInterface({ input: process.stdin }).on('line', async (word) => {
  if (word === 'uncompress') {
    // It removes what it has read.
    fs.copyFileSync(zip, zip + '.read');
    auth.userDataDir = fs.mkdtempSync(path.join(auth.dataPath, 'out-'));
  }
  const began = process.hrtime.bigint();
  await (word === 'compress' ? auth.compressSession() : auth.unCompressSession(zip + '.read'));
  // Its promise is kept once the archive has been read; the last files are still being written then.
  while (word === 'uncompress' && bytes(auth.userDataDir) < bytes(auth.tempDir)) await new Promise(setImmediate);
  const taken = Number(process.hrtime.bigint() - began) / 1e9;
  if (word === 'uncompress') fs.rmSync(auth.userDataDir, { recursive: true });
  auth.userDataDir = process.env.BENCH_LOGIN;
  console.log(taken);
});
