/**
 * @typedef {object} Bar
 * @property {string} label
 * @property {number} value
 * @property {boolean} ours
 */

const WIDTH = 860;
const LABELS = 380;
const ROW = 28;
const TOP = 44;

/** Horizontal bars, the longest first; on a ground of its own, as the page may be darker or lighter than the system. @param {string} title @param {Bar[]} bars */
export function chart(title, bars) {
  const sorted = bars.toSorted((a, b) => b.value - a.value);
  const longest = Math.max(...bars.map(({ value }) => value));
  const height = TOP + ROW * bars.length + 10;
  const rows = sorted.map(({ label, value, ours }, i) => {
    const y = TOP + ROW * i;
    const width = Math.max(1, ((WIDTH - LABELS - 90) * value) / longest);
    const middle = y + ROW / 2 + 4;
    return [
      `<text x="${LABELS - 10}" y="${middle}" text-anchor="end"${ours ? ' font-weight="bold"' : ''}>${escape(label)}</text>`,
      `<rect x="${LABELS}" y="${y + 4}" width="${width.toFixed(1)}" height="${ROW - 8}" rx="3" fill="${ours ? '#e0234e' : '#8a94a6'}"/>`,
      `<text x="${(LABELS + width + 8).toFixed(1)}" y="${middle}">${Math.round(value).toLocaleString('en')}</text>`,
    ].join('\n  ');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escape(title)}">
  <style>
    text { font: 13px system-ui, sans-serif; fill: #24292f }
    .page { fill: #ffffff }
    @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .page { fill: #0d1117 } }
  </style>
  <rect class="page" width="100%" height="100%" rx="6"/>
  <text x="${LABELS}" y="26" font-weight="bold">${escape(title)}</text>
  ${rows.join('\n  ')}
</svg>
`;
}

/** @param {string} text */
function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
