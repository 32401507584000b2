/* SPDX-License-Identifier: Apache-2.0
 * Head and tail of a report: a style sheet for light and dark screens and for print, and a script that sorts tables and
 * shows the values of curves under the pointer. The page is complete without the script. */
#include <string.h>

#include "html/html.h"

/* In pieces, because C guarantees string literals of at most 4095 bytes. The script does not contain '<' or '&', so
 * that the page is well-formed XML. */
static const char *const style[] = {
    ":root{color-scheme:light "
    "dark;--bg:#f5f6f8;--card:#fff;--line:#e3e6eb;--grid:#eceef2;--text:#1b2230;--muted:#667085;"
    "--accent:#2f62d9;--track:#e9edf4;--heat:47,98,217;"
    "--s0:#2f62d9;--s1:#e0731d;--s2:#1f9d6b;--s3:#8a4fd0;--s4:#d63b4d;--s5:#0f93a6;--s6:#c2499a;--s7:#7f8a12}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#0d1117;--card:#151b23;--line:#272f3a;--grid:#212934;--text:#e6eaf0;"
    "--muted:#8b96a6;--accent:#76a1ff;--track:#232c39;--heat:118,161,255;"
    "--s0:#76a1ff;--s1:#ff9d57;--s2:#4cc994;--s3:#b98af5;--s4:#ff7180;--s5:#45c4d6;--s6:#ee83c6;--s7:#c3cd56}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,"
    "\"Helvetica Neue\",Arial,sans-serif;font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}\n"
    "main{max-width:1180px;margin:0 auto;padding:40px 24px 56px}\n"
    "header{margin-bottom:26px}\n"
    ".eyebrow{margin:0;font-size:12.5px;font-weight:600;letter-spacing:.06em;text-transform:uppercase;color:var(--"
    "accent)}\n"
    "h1{margin:2px 0 4px;font-size:31px;line-height:1.2;letter-spacing:-.015em;overflow-wrap:anywhere}\n"
    "h2{margin:44px 0 4px;font-size:20px;letter-spacing:-.01em}\n"
    ".lead{margin:0 0 14px;color:var(--muted);max-width:110ch;overflow-wrap:anywhere}\n"
    "header .lead{margin:0}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:12px}\n"
    ".empty{color:var(--muted);padding:28px 4px;text-align:center;margin:0}\n",

    ".figures{display:grid;grid-template-columns:1.5fr repeat(4,1fr);gap:12px}\n"
    ".figures>div{padding:15px 18px 14px;min-width:0}\n"
    ".figures .label{display:block;font-size:13px;color:var(--muted)}\n"
    ".figures "
    ".value{display:block;font-size:25px;font-weight:620;letter-spacing:-.015em;line-height:1.3;white-space:nowrap}\n"
    ".figures .value small{font-size:.58em;font-weight:500;color:var(--muted);letter-spacing:0;margin-left:.15em}\n"
    ".figures .note{display:block;font-size:13px;color:var(--muted)}\n"
    ".figures .hero{grid-row:span 2;display:flex;flex-direction:column;justify-content:center;padding:18px 22px}\n"
    ".figures .hero .value{font-size:60px;line-height:1.1;font-weight:660;letter-spacing:-.035em}\n"
    ".figures .hero .value small{font-size:.42em}\n"
    ".figures.few{grid-template-columns:1.5fr repeat(2,1fr)}.few .hero{grid-row:auto}\n"
    ".meter{display:block;height:8px;border-radius:4px;background:var(--track);overflow:hidden;margin:10px 0 8px}\n"
    ".meter i{display:block;height:100%;border-radius:4px;background:var(--accent)}\n"
    ".plots{display:grid;grid-template-columns:repeat(6,1fr);gap:12px}\n"
    ".plots>*{grid-column:span 2}.plots>.wide{grid-column:span 3}\n"
    ".plots>div{display:flex;min-width:0}\n"
    "figure{margin:0;min-width:0}\n"
    ".plot{padding:13px 14px 9px;flex:1;display:flex;flex-direction:column}\n"
    ".plot figcaption{display:flex;flex-wrap:wrap;align-items:baseline;gap:0 12px;padding:0 2px 5px;font-size:13px;"
    "color:var(--muted)}\n"
    ".plot figcaption strong{color:var(--text);font-size:14.5px;font-weight:600}\n"
    ".plot .keys{display:flex;flex-wrap:wrap;gap:0 13px;margin-left:auto}\n"
    ".key{white-space:nowrap}.key i{display:inline-block;width:12px;height:3px;border-radius:2px;margin-right:6px;"
    "vertical-align:middle}\n"
    ".key output{color:var(--text);font-weight:600;display:inline}\n"
    ".plot svg{display:block;width:100%;height:auto;overflow:visible;margin-top:auto}\n"
    ".grid{stroke:var(--grid)}.axis{stroke:var(--line);stroke-width:1.2}\n"
    ".tick{fill:var(--muted);font-size:11.5px}\n"
    ".line{fill:none;stroke-width:1.9;stroke-linejoin:round;stroke-linecap:round}\n"
    ".raw{fill:none;stroke-width:1;opacity:.24}.raw.dense{opacity:.13}\n"
    ".mark{stroke:var(--card);stroke-width:1}\n"
    ".cursor{stroke:var(--muted);stroke-dasharray:3 3;visibility:hidden}\n"
    "path.c0{stroke:var(--s0)}path.c1{stroke:var(--s1)}path.c2{stroke:var(--s2)}path.c3{stroke:var(--s3)}"
    "path.c4{stroke:var(--s4)}path.c5{stroke:var(--s5)}path.c6{stroke:var(--s6)}path.c7{stroke:var(--s7)}\n"
    "circle.c0{fill:var(--s0)}circle.c1{fill:var(--s1)}circle.c2{fill:var(--s2)}circle.c3{fill:var(--s3)}"
    "circle.c4{fill:var(--s4)}circle.c5{fill:var(--s5)}circle.c6{fill:var(--s6)}circle.c7{fill:var(--s7)}\n"
    "i.c0{background:var(--s0)}i.c1{background:var(--s1)}i.c2{background:var(--s2)}i.c3{background:var(--s3)}"
    "i.c4{background:var(--s4)}i.c5{background:var(--s5)}i.c6{background:var(--s6)}i.c7{background:var(--s7)}\n",

    ".scroll{overflow:auto;max-height:760px}\n"
    "table{border-collapse:collapse;width:100%}\n"
    "th,td{padding:7px 16px;text-align:left;border-top:1px solid var(--grid);vertical-align:middle}\n"
    "thead th{position:sticky;top:0;background:var(--card);border-top:0;border-bottom:1px solid var(--line);z-index:1;"
    "font-size:13px;font-weight:600;color:var(--muted);padding:9px 16px;white-space:nowrap}\n"
    "thead+tbody tr:first-child>*{border-top:0}\n"
    "tbody th{font-weight:500}\n"
    "th button{all:unset;cursor:pointer}th button:hover,th "
    "button:focus-visible{color:var(--text);text-decoration:underline}\n"
    "th[aria-sort] button{color:var(--text)}th[aria-sort=ascending] button::after{content:\" \\2191\"}"
    "th[aria-sort=descending] button::after{content:\" \\2193\"}\n"
    ".swatch{display:inline-block;width:13px;height:13px;border-radius:4px;margin-right:10px;vertical-align:-1.5px;"
    "box-shadow:inset 0 0 0 1px rgba(128,128,128,.35)}\n"
    ".bar{display:flex;align-items:center;gap:12px}\n"
    ".bar b{flex:none;width:3.3em;text-align:right;font-weight:500}\n"
    ".bar.main b{font-weight:650}\n"
    ".bar u{flex:1;min-width:56px;height:7px;border-radius:4px;background:var(--track);overflow:hidden}\n"
    ".bar u i{display:block;height:100%;border-radius:4px;background:var(--accent)}\n"
    ".bar.soft u i{background:var(--muted);opacity:.6}\n"
    ".muted{color:var(--muted)}\n"
    ".below{margin:10px 2px 0;font-size:13.5px;color:var(--muted)}\n"
    ".split{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:12px;align-items:"
    "stretch}\n"
    ".heat{padding:16px 18px}\n"
    ".heat svg{display:block;width:100%;height:auto;max-height:640px}\n"
    ".heat rect.cell{fill:rgb(var(--heat))}.heat rect.frame{fill:none;stroke:var(--line)}\n"
    ".heat text{fill:var(--text);font-size:11px}.heat text.v{font-size:10px;text-anchor:middle}.heat "
    "text.hi{fill:var(--card)}\n"
    ".heat text.axis-name{fill:var(--muted);stroke:none}\n"
    ".pairs td{white-space:nowrap}.pairs td:first-child{white-space:normal}.pairs .arrow{color:var(--muted);margin:0 "
    "7px}\n",

    ".legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:0 0 14px;padding:0;list-style:none;font-size:14px}\n"
    ".legend .swatch{margin-right:7px}\n"
    ".sample{padding:14px 16px 16px;margin-bottom:12px;break-inside:avoid}\n"
    ".sample p{display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 18px;margin:0 0 9px;font-size:13.5px}\n"
    ".sample p b{font-weight:600;overflow-wrap:anywhere}.sample p span{color:var(--muted)}\n"
    ".triple{display:grid;grid-template-columns:repeat(3,1fr);gap:10px}\n"
    ".maps{display:grid;grid-template-columns:repeat(4,1fr);gap:10px}\n"
    ".maps img{display:block;width:100%;height:auto;border-radius:7px;background:var(--track)}\n"
    ".triple img,.triple .none{display:block;width:100%;height:auto;border-radius:7px;background:var(--track)}\n"
    ".triple .none{height:100%;min-height:80px;display:grid;place-items:center;color:var(--muted)}\n"
    ".triple figcaption,.maps figcaption{font-size:12.5px;color:var(--muted);margin-top:4px}\n"
    "h3{margin:26px 0 4px;font-size:16px}\n"
    ".scale{display:flex;flex-wrap:wrap;align-items:center;gap:4px 16px;margin:14px 0 8px;font-size:13.5px}\n"
    ".ramp{display:inline-flex;align-items:center;gap:8px;color:var(--muted)}\n"
    ".ramp i{width:180px;height:10px;border-radius:3px}\n"
    ".hatch{background:repeating-linear-gradient(135deg,#a3a3a3 0 3px,#858585 3px 6px)}\n"
    "pre{margin:0;padding:16px 20px;overflow:auto;max-height:680px;font:13px/1.6 "
    "ui-monospace,SFMono-Regular,Menlo,Consolas,"
    "\"DejaVu Sans Mono\",monospace}\n"
    "footer{margin-top:34px;font-size:13px;color:var(--muted)}\n"
    "@media(max-width:900px){.plots>*,.plots>.wide{grid-column:span 6}.figures{grid-template-columns:repeat(3,1fr)}"
    ".figures .hero{grid-row:auto;grid-column:1/-1}main{padding:24px 14px "
    "40px}.wide-only{display:none}th,td{padding:7px 10px}}\n"
    "@media(max-width:700px){.maps{grid-template-columns:repeat(2,1fr)}}\n"
    "@media(max-width:520px){.figures{grid-template-columns:repeat(2,1fr)}.triple{gap:5px}.sample{padding:10px}h1{font-"
    "size:25px}}\n"
    "@media print{body{background:#fff}.scroll,pre{max-height:none}.card{break-inside:avoid}}\n",
};

static const char *const script[] = {
    "for (const button of document.querySelectorAll('th button')) button.addEventListener('click', () => {\n"
    "  const head = button.parentElement, column = head.cellIndex, body = head.closest('table').tBodies[0];\n"
    "  const down = head.getAttribute('aria-sort') ? head.getAttribute('aria-sort') === 'ascending' : "
    "head.dataset.text !== '1';\n"
    "  for (const other of head.parentElement.cells) other.removeAttribute('aria-sort');\n"
    "  head.setAttribute('aria-sort', down ? 'descending' : 'ascending');\n"
    "  const key = row => { const v = row.cells[column].dataset.v; return head.dataset.text ? v : v === '' ? NaN : +v; "
    "};\n"
    "  const order = (a, b) => head.dataset.text ? a.localeCompare(b) : a - b;\n"
    "  const rows = [...body.rows].sort((p, q) => {\n"
    "    const a = key(p), b = key(q);\n"
    "    if (a !== a || b !== b) return (a !== a) - (b !== b);\n"
    "    return down ? order(b, a) : order(a, b);\n"
    "  });\n"
    "  body.append(...rows);\n"
    "});\n",

    "const short = v => {\n"
    "  const a = Math.abs(v);\n"
    "  return a >= 1e6 ? +(v / 1e6).toPrecision(4) + 'M' : a >= 1e4 ? +(v / 1e3).toPrecision(4) + 'k' : '' + "
    "+v.toPrecision(3);\n"
    "};\n"
    "for (const svg of document.querySelectorAll('svg[data-x]')) {\n"
    "  const [x0, x1, left, right] = svg.dataset.x.split(' ').map(Number);\n"
    "  const [y0, y1, bottom, top] = svg.dataset.y.split(' ').map(Number);\n"
    "  const figure = svg.closest('figure'), cursor = svg.querySelector('.cursor'), at = figure.querySelector('.at');\n"
    "  const outputs = [...figure.querySelectorAll('output')], last = outputs.map(o => o.textContent);\n"
    "  const lines = [...svg.querySelectorAll('path[data-key]')].map(p => ({out: outputs[+p.dataset.key],\n"
    "    points: [...p.getAttribute('d').matchAll(/(-?[\\d.]+),(-?[\\d.]+)/g)].map(m => [+m[1], +m[2]])}));\n"
    "  const leave = () => { cursor.style.visibility = 'hidden'; at.textContent = ''; outputs.forEach((o, i) => { "
    "o.textContent = last[i]; }); };\n"
    "  svg.addEventListener('pointerleave', leave);\n"
    "  svg.addEventListener('pointermove', event => {\n"
    "    const box = svg.getBoundingClientRect(), px = (event.clientX - box.left) / box.width * "
    "svg.viewBox.baseVal.width;\n"
    "    let nearest = null;\n"
    "    for (const line of lines) {\n"
    "      const p = line.points.reduce((best, q) => !best || Math.abs(best[0] - px) > Math.abs(q[0] - px) ? q : best, "
    "null);\n"
    "      if (!p) continue;\n"
    "      if (!nearest || Math.abs(nearest - px) > Math.abs(p[0] - px)) nearest = p[0];\n"
    "      const v = y0 + (bottom - p[1]) / (bottom - top) * (y1 - y0);\n"
    "      line.out.textContent = short(svg.dataset.log ? 10 ** v : v);\n"
    "    }\n"
    "    if (nearest === null) return;\n"
    "    at.textContent = 'at ' + short(Math.round(x0 + (nearest - left) / (right - left) * (x1 - x0)));\n"
    "    cursor.setAttribute('x1', nearest); cursor.setAttribute('x2', nearest);\n"
    "    cursor.style.visibility = 'visible';\n"
    "  });\n"
    "}\n",
};

static void put(icseg_string *out, const char *text) { icseg_string_append(out, text, strlen(text)); }

void icseg_html_begin(icseg_string *out, const char *title) {
    put(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
             "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
             /* whatever a name or recipe contains, the page loads nothing */
             "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src "
             "'unsafe-inline'; script-src 'unsafe-inline'\"/>\n<title>");
    icseg_html_text(out, title);
    put(out, "</title>\n<style>\n");
    for (size_t i = 0; i < sizeof style / sizeof *style; i++) put(out, style[i]);
    put(out, "</style>\n</head>\n<body>\n<main>\n");
}

void icseg_html_end(icseg_string *out) {
    put(out, "</main>\n<script>\n\"use strict\";\n");
    for (size_t i = 0; i < sizeof script / sizeof *script; i++) put(out, script[i]);
    put(out, "</script>\n</body>\n</html>\n");
}
