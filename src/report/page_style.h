#pragma once

#include <string_view>

namespace intact::report {

/// The looks of the page. Colours are named once for each of light and dark.
inline constexpr std::string_view kPageStyle = R"css(
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1c2330;--dim:#667085;--line:#e3e7ee;
--good:#12805c;--good-bg:#e5f5ee;--bad:#c8102e;--bad-bg:#fdebed;--off:#98a2b3;--off-bg:#f0f2f5;
--g0:#a9c5e8;--g1:#bfdcc0;--g2:#e8d5a4;--g3:#d3c1e5;--g4:#a8dbd6;--g5:#e9c4b2;--g6:#c7cfdb;--g7:#dbe3a6}
@media(prefers-color-scheme:dark){:root{--bg:#0f141b;--card:#171e28;--ink:#e6eaf0;--dim:#93a0b4;
--line:#273140;--good:#4cc79a;--good-bg:#12302a;--bad:#ff5c72;--bad-bg:#3a161d;--off:#5f6c80;
--off-bg:#1d2530;--g0:#34557d;--g1:#35603c;--g2:#6b5a2b;--g3:#56447a;--g4:#26645f;--g5:#75482f;
--g6:#454f5f;--g7:#5d6428}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,"Segoe UI",Roboto,"Liberation Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 24px 60px}
h1{font-size:21px;margin:0;overflow-wrap:anywhere}
h2{font-size:16px;margin:34px 0 10px}
h2 small{font-weight:400;color:var(--dim);font-size:13px;margin-left:8px}
code,.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;font-size:12.5px;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px}
.verdict{display:flex;gap:18px;align-items:center;padding:20px 22px;border-left:6px solid}
.verdict.good{border-left-color:var(--good)}.verdict.bad{border-left-color:var(--bad)}
.mark{flex:none;width:46px;height:46px;border-radius:50%;display:grid;place-items:center;font-size:25px;font-weight:700}
.good .mark{background:var(--good-bg);color:var(--good)}.bad .mark{background:var(--bad-bg);color:var(--bad)}
.off .mark{background:var(--off-bg);color:var(--off)}
.verdict p{margin:2px 0 0;color:var(--dim)}.verdict b{color:var(--ink)}
.facts{display:flex;flex-wrap:wrap;gap:10px;margin-top:12px}
.facts div{flex:1 1 120px;padding:10px 14px}
.facts b{display:block;font-size:19px;font-variant-numeric:tabular-nums}.facts span{color:var(--dim);font-size:12.5px}
.facts .alarm b{color:var(--bad)}
ol.chain{list-style:none;margin:0;padding:6px 20px}
ol.chain li{position:relative;display:grid;grid-template-columns:30px 130px 1fr;gap:2px 12px;padding:11px 0}
ol.chain li:before{content:"";position:absolute;left:12px;top:0;bottom:0;border-left:2px solid var(--good)}
ol.chain li:first-child:before{top:24px}ol.chain li:last-child:before{bottom:auto;height:24px}
ol.chain li.bad:before{border-left-color:var(--bad)}
ol.chain li.off:before{border-left:2px dashed var(--off)}
ol.chain .mark{position:relative;width:26px;height:26px;font-size:14px;z-index:1}
ol.chain b{padding-top:2px}ol.chain div{padding-top:2px}
ol.chain p{margin:0;color:var(--dim);font-size:13.5px}ol.chain .bad p{color:var(--bad)}ol.chain .off{color:var(--off)}
table{border-collapse:collapse;width:100%}
th{font-size:12.5px;font-weight:600;color:var(--dim);text-align:left;padding:9px 14px;border-bottom:1px solid var(--line)}
td{padding:8px 14px;border-bottom:1px solid var(--line);vertical-align:top}tr:last-child td{border-bottom:0}
td.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
a{color:inherit}td a{color:var(--bad);font-weight:600;text-decoration:none}td a:hover{text-decoration:underline}
.map{padding:16px}
.map svg{display:block;width:100%;height:auto}
.g0{fill:var(--g0)}.g1{fill:var(--g1)}.g2{fill:var(--g2)}.g3{fill:var(--g3)}.g4{fill:var(--g4)}.g5{fill:var(--g5)}.g6{fill:var(--g6)}.g7{fill:var(--g7)}
.u{fill:var(--off)}.x{fill:var(--bad)}.ring{fill:none;stroke:var(--bad);stroke-width:2}.grid{stroke:var(--card);stroke-width:1.2;fill:none}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:14px 0 0;padding:0;list-style:none;font-size:13px;color:var(--dim)}
.legend svg{width:11px;height:11px;display:inline-block;margin-right:6px}
.tree{padding:10px 14px;font-size:13.5px}
.tree ul{list-style:none;margin:0;padding-left:20px}.tree>ul{padding-left:0}
.tree li{padding:0}.tree .r{display:flex;gap:10px;padding:1.5px 6px;border-radius:5px}
.tree .r:hover{background:var(--off-bg)}
.tree .name{flex:1;overflow-wrap:anywhere}.tree .s{color:var(--dim);white-space:nowrap;font-variant-numeric:tabular-nums;font-size:12.5px}
.tree li>.r .name{padding-left:17px}
summary{list-style:none;cursor:pointer}summary::-webkit-details-marker{display:none}
summary .name:before{content:"";display:inline-block;border:4px solid transparent;border-left:6px solid var(--dim);margin-right:7px}
details[open]>summary .name:before{transform:rotate(90deg) translate(1px,2px)}
.tree .t{color:var(--dim)}
.tree .b>.r,.tree .b>details>summary>.r{color:var(--bad)}
.tree li.b>.r{background:var(--bad-bg);font-weight:600}
.badge{background:var(--bad-bg);color:var(--bad);border-radius:9px;padding:0 8px;font-size:12px;font-weight:600;white-space:nowrap}
:target>.r{outline:2px solid var(--bad)}
ol.next{margin:0;padding:12px 20px 12px 40px}ol.next li{padding:4px 0}
ol.next pre{margin:6px 0 2px;padding:8px 12px;background:var(--off-bg);border-radius:6px;overflow-x:auto;user-select:all}
table.about th{width:150px;vertical-align:top;border-bottom:1px solid var(--line)}table.about tr:last-child th{border-bottom:0}
footer{margin-top:34px;color:var(--dim);font-size:12.5px}
@media(max-width:640px){ol.chain li{grid-template-columns:30px 1fr}ol.chain div{grid-column:2}}
@media print{details{display:block}body{background:#fff}}
)css";

}  // namespace intact::report
