/** The one style sheet of the page. Colours are those of paint.ts; never the only sign, for each stands at its word. */
export const STYLE = `
:root{color-scheme:light dark;--page:#fff;--ink:#1d2129;--quiet:#5a6270;--line:#d5d9e0;--panel:#f5f6f8;
--good:#136c33;--caution:#7d4e00;--undone:#7a2a8f;--alarm:#b3121d}
@media (prefers-color-scheme:dark){:root{--page:#14171c;--ink:#e4e7ec;--quiet:#a0a8b6;--line:#363c47;--panel:#1d2128;
--good:#6fd08c;--caution:#e8b04b;--undone:#d596e6;--alarm:#ff8a86}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:72rem;background:var(--page);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{margin:0;font-size:1.6rem;line-height:1.25}
h2{margin:2.25rem 0 .6rem;font-size:1.15rem}
h3{margin:.9rem 0 .25rem;font-size:1rem}
small,caption,dt,.hint{color:var(--quiet)}
small{font-weight:normal}
.verdict{margin:.4rem 0 1rem;font-size:1.1rem}
.totals{display:flex;flex-wrap:wrap;gap:.5rem;margin:0;padding:0;list-style:none}
.totals li{padding:.3rem .8rem;border:1px solid currentColor;border-radius:.4rem}
.totals strong{font-size:1.25rem}
.good{color:var(--good)}.quiet{color:var(--quiet)}.caution{color:var(--caution)}.undone{color:var(--undone)}.alarm{color:var(--alarm)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.35rem 1.5rem;margin:.3rem 0}
dt{font-size:.8rem}
dd{margin:0}
.fault{margin:.75rem 0;padding:.1rem 1rem .5rem;border-left:.25rem solid currentColor;background:var(--panel)}
.fault h3{margin-top:.5rem}
.fault p{margin:.2rem 0;color:var(--ink)}
.fault .hint{color:var(--quiet)}
.wide{overflow-x:auto}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
caption{padding-bottom:.4rem;text-align:left;font-size:.85rem}
th,td{padding:.4rem .75rem .4rem 0;text-align:left;vertical-align:top;overflow-wrap:normal}
td,tbody th{max-width:22rem;overflow-wrap:break-word}
thead th{border-bottom:2px solid var(--line);color:var(--quiet);font-size:.85rem}
tbody{border-bottom:1px solid var(--line)}
.number{white-space:nowrap}
.badge{padding:.05rem .5rem;border:1px solid currentColor;border-radius:1rem;font-size:.85rem;font-weight:normal;white-space:nowrap}
details{padding:.4rem 0;border-bottom:1px solid var(--line)}
summary{cursor:pointer;font-weight:600}
@media print{:root{--page:#fff;--ink:#000;--quiet:#444;--line:#999;--panel:#fff;--good:#136c33;--caution:#7d4e00;--undone:#7a2a8f;--alarm:#b3121d}
body{max-width:none;padding:0;font-size:9.5pt}
.wide{overflow:visible}
thead{display:table-header-group}
tbody,.fault,details{break-inside:avoid}
h2{break-after:avoid}
details::details-content{content-visibility:visible;block-size:auto}}
`;
