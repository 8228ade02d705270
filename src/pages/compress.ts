import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, gzip } from 'node:zlib';

/* Run by `npm run build`: writes a compressed copy beside each file of the pages. Without copies the files are sent as they are. */

const FOLDERS = ['public', '../client'].map((folder) => join(import.meta.dirname, folder));
const ENCODERS = { br: promisify(brotliCompress), gz: promisify(gzip) };

for (const folder of FOLDERS) {
  for (const name of await readdir(folder)) {
    if (!/\.(?:html|js|css|svg)$/.test(name)) continue;
    const content = await readFile(join(folder, name));
    for (const [extension, encode] of Object.entries(ENCODERS))
      await writeFile(join(folder, `${name}.${extension}`), await encode(content));
  }
}
