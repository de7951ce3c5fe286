#include "report/html_page.h"

#include <fmt/core.h>

namespace assay::report {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5b6675;--line:#dfe3e9;--grid:#e9ecf1;
--reference:#3b6fb6;--model:#d9742b;--ideal:#9aa5b3;--good:#22855a;--warn:#b7791f;--bad:#c23b3b;--band:#3b6fb614;
--good-soft:#e3f4ec;--warn-soft:#fbf1dc;--bad-soft:#fbe7e6;--shadow:0 1px 2px #1b233014,0 4px 16px #1b23300a}
@media(prefers-color-scheme:dark){:root{--page:#12161d;--card:#1a2029;--ink:#e7ebf1;--soft:#9aa6b5;--line:#2b333f;--grid:#252d38;
--reference:#7aa8e6;--model:#f0995a;--ideal:#6d7989;--good:#57c596;--warn:#e2b45c;--bad:#f07f7b;--band:#7aa8e61c;
--good-soft:#17332a;--warn-soft:#372c16;--bad-soft:#3b1f20;--shadow:0 1px 2px #0006}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;
font-variant-numeric:tabular-nums}
main{max-width:1120px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:20px;line-height:1.4;font-weight:620;margin:8px 0 0;text-wrap:pretty;overflow-wrap:anywhere}
h2{font-size:16px;font-weight:650;margin:0 0 4px}
p{margin:6px 0}
.kicker{color:var(--soft);font-size:13px;letter-spacing:.02em}
.soft{color:var(--soft)}.small{font-size:13px}
.card{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:18px 20px;margin:16px 0;box-shadow:var(--shadow)}
.verdict{border-left:6px solid var(--tone)}
.tone-good{--tone:var(--good);--tone-soft:var(--good-soft)}.tone-warn{--tone:var(--warn);--tone-soft:var(--warn-soft)}
.tone-bad{--tone:var(--bad);--tone-soft:var(--bad-soft)}
.pill{display:inline-block;border-radius:999px;padding:1px 10px;font-size:12.5px;font-weight:600;background:var(--tone-soft);color:var(--tone);
white-space:nowrap}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:14px;margin:16px 0}
.tile{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:14px 16px;box-shadow:var(--shadow)}
.tile b{display:block;font-size:25px;font-weight:650;line-height:1.25}
.tile .what{color:var(--soft);font-size:13px}
.split{display:grid;grid-template-columns:1fr 1fr;gap:16px}.split>.card{margin:0}.split svg{max-width:560px}
.split>.card:last-child:nth-child(odd){grid-column:1/-1}
a{color:var(--reference);text-underline-offset:2px}
@media(max-width:820px){.split{grid-template-columns:1fr}}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font-size:11.5px}svg .strong{fill:var(--ink);font-weight:600}
.grid{stroke:var(--grid);stroke-width:1}.axis{stroke:var(--line);stroke-width:1}
.line-model{fill:none;stroke:var(--model);stroke-width:2.2;stroke-linejoin:round}
.dot-model{fill:var(--model);stroke:var(--card);stroke-width:1.2}.dot-local{fill:var(--reference);stroke:var(--card);stroke-width:1.2}
.dot-ideal{fill:var(--card);stroke:var(--ideal);stroke-width:1.6}
.stem{stroke:var(--ideal);stroke-width:2}.stem-bad{stroke:var(--bad);stroke-width:3}
.call{stroke:var(--bad);stroke-width:1;stroke-dasharray:2 3}.hit{fill:transparent}
a:hover .hit,.hit:hover{fill:var(--band)}
.area-reference{fill:var(--reference);fill-opacity:.28;stroke:var(--reference);stroke-width:1}
.area-model{fill:none;stroke:var(--model);stroke-width:1.4;stroke-linejoin:round}
.bracket{stroke:var(--ink);stroke-width:1.4;fill:none;opacity:.75}
.bar{fill:var(--model)}.bar-reference{fill:var(--reference)}.bar-ideal{fill:var(--ideal)}.bar-back{fill:var(--grid)}
.whisker{stroke:var(--ink);stroke-width:1.5;opacity:.7}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;color:var(--soft);font-size:13px;margin:6px 0 2px}
.key{display:inline-block;width:11px;height:11px;border-radius:6px;margin-right:6px;vertical-align:-1px}
table{border-collapse:collapse;width:100%}
th{font-weight:600;color:var(--soft);font-size:12.5px;text-align:left;padding:6px 10px 6px 0;border-bottom:1px solid var(--line);vertical-align:bottom}
td{padding:9px 10px 9px 0;border-bottom:1px solid var(--grid);vertical-align:top}
tr:last-child td{border-bottom:0}
.n{text-align:right;white-space:nowrap}
.scroll{overflow-x:auto}
code,.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:12.5px;overflow-wrap:anywhere}
.chip{font-size:12px;color:var(--soft);border:1px solid var(--line);border-radius:6px;padding:0 6px;white-space:nowrap}
details{border-top:1px solid var(--grid)}details:first-of-type{border-top:0}
summary{cursor:pointer;padding:8px 0;display:grid;grid-template-columns:48px minmax(150px,1fr) 190px 92px 92px 92px;gap:10px;align-items:baseline;list-style:none}
summary::-webkit-details-marker{display:none}
summary:hover{color:var(--reference)}
@media(max-width:820px){summary{grid-template-columns:40px 1fr 80px}summary .wide{display:none}}
.facts{display:grid;grid-template-columns:minmax(260px,340px) 1fr;gap:8px 28px;padding:4px 0 18px 58px}
@media(max-width:820px){.facts{grid-template-columns:1fr;padding-left:0}}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 14px;margin:0;font-size:13.5px}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
ul{margin:6px 0;padding-left:20px}li{margin:4px 0}
.meter{display:inline-block;width:74px;height:8px;border-radius:4px;background:var(--grid);overflow:hidden;vertical-align:1px;margin-left:8px}
.meter i{display:block;height:100%;background:var(--model)}
:target{scroll-margin-top:20px}
@media print{body{background:#fff}.card,.tile{box-shadow:none;break-inside:avoid}}
)css";

// A link to a layer opens its entry.
constexpr std::string_view kScript = R"js(
const open=()=>{const e=document.getElementById(location.hash.slice(1));if(e&&e.tagName==='DETAILS')e.open=true};
addEventListener('hashchange',open);open();
)js";

}  // namespace

std::string EscapeHtml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        // Control characters have no place in a page.
        if (static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

std::string HtmlPage(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
      "script-src "
      "'unsafe-inline'; img-src data:\">\n"
      "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}\n</main>\n<script>{}</script>\n</body>\n</"
      "html>\n",
      EscapeHtml(title), kStyle, body, kScript);
}

}  // namespace assay::report
