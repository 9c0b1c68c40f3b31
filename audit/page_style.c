/* How the page looks, on paper-white and at night. */
#include <stdio.h>

#include "audit/page.h"

static const char style[] =
    "<style>\n"
    ":root{--ink:#1b2430;--soft:#5b6776;--line:#d9dfe6;--back:#ffffff;--card:#f6f8fa;"
    "--good:#1a7f4b;--fair:#8a6100;--bad:#b3261e;--rec:#2f9e6e;--none:#e4e8ed;"
    "--c0:#c0392b;--c1:#d35400;--c2:#8e44ad;--c3:#2c6fbb;--c4:#7d5a2f;--c5:#6b7785;"
    "--c6:#95a1ad;--c7:#a01b58;--c8:#0f8a8a;--c9:#b5bec8;--c10:#000000}\n"
    "@media (prefers-color-scheme:dark){:root{--ink:#e6ebf1;--soft:#9aa7b5;--line:#323c48;"
    "--back:#12171d;--card:#1a212a;--good:#5fd39a;--fair:#f0c04f;--bad:#ff8a80;--rec:#2f9e6e;"
    "--none:#2a333d;--c0:#ff7b6b;--c1:#ff9f4a;--c2:#c58be0;--c3:#6fb1ff;--c4:#c9a26b;"
    "--c5:#a5b1be;--c6:#7d8996;--c7:#ff6fa8;--c8:#4fd0d0;--c9:#5b6776;--c10:#ffffff}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:76rem;padding:2rem 1.5rem;background:var(--back);"
    "color:var(--ink);font:16px/1.5 system-ui,-apple-system,\"Segoe UI\",Roboto,sans-serif}\n"
    "h1{font-size:1.7rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.2rem 0 .7rem}\n"
    "h3{font-size:.85rem;margin:0 0 .3rem;font-weight:600}\n"
    "header p{margin:0;font-size:1.05rem}.when,footer,.note{color:var(--soft)}\n"
    "footer{margin-top:3rem;font-size:.85rem}.note{font-size:.9rem;margin:.3rem 0 0}\n"
    ".wide{overflow-x:auto}\n"
    "table{border-collapse:collapse;width:100%;font-size:.92rem;"
    "font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:left;padding:.42rem .8rem .42rem 0;border-bottom:1px solid var(--line);"
    "vertical-align:top;white-space:nowrap}\n"
    "thead th{color:var(--soft);font-weight:600}tbody th{font-weight:600}\n"
    ".n{text-align:right}.n+:not(.n){padding-left:1.2rem}td.say{white-space:normal;min-width:18rem}"
    "\n"
    ".score{font-weight:700}.score.good{color:var(--good)}.score.fair{color:var(--fair)}\n"
    ".score.bad{color:var(--bad)}.score.none{color:var(--soft);font-weight:400}\n"
    "svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font-size:12px}\n"
    "svg text.soft{fill:var(--soft);font-size:11px}\n"
    ".line{stroke:var(--line);stroke-width:1}.rec{fill:var(--rec)}.void{fill:var(--none)}\n"
    ".curve{fill:none;stroke:var(--c3);stroke-width:2;stroke-linejoin:round}\n"
    ".dot{fill:var(--c3)}.dot.bad{fill:var(--bad)}\n"
    ".c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}"
    ".c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}.c7{fill:var(--c7)}"
    ".c8{fill:var(--c8)}.c9{fill:var(--c9)}.c10{fill:var(--c10)}\n"
    ".keys{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;"
    "margin:.6rem 0 0;font-size:.85rem;color:var(--soft)}\n"
    ".keys svg{display:inline-block;width:.8rem;height:.8rem;margin-right:.35rem;"
    "vertical-align:-.08rem}\n"
    ".many{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:1rem}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:8px;"
    "padding:.8rem .9rem}\n"
    ".gap:focus{outline:2px solid var(--ink)}\n"
    "</style>\n";

void page_style(void)
{
        fputs(style, stdout);
}
