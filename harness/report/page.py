"""The page around the content: style, head, and the policy that lets it load nothing. It knows no content."""

from harness.report.elements import Html
from harness.report.svg import escaped

_STYLE = """
:root{color-scheme:light dark;--bg:#fff;--soft:#f4f6f8;--text:#1b1f24;--muted:#57606a;--rule:#d5dbe1;--grid:#e6eaee;
--good:#116329;--good-bg:#e6f6ea;--bad:#a40e26;--bad-bg:#ffebe9;--warn:#7a5200;--warn-bg:#fff6dc;--link:#0a58b5;
--c0:#59636e;--c1:#0068a8;--c2:#bf4400;--c3:#00734f;--c4:#98408a;--c5:#766000;
--app:#bcc5cf;--sidecar:#5a4a9c;--control:#d39b00;--other:#e8ecf0;--leg1:#5a4a9c;--leg2:#bcc5cf;--leg3:#9b8bd6}
@media (prefers-color-scheme:dark){:root{--bg:#0f1419;--soft:#182028;--text:#e6eaee;--muted:#a3adb8;--rule:#35404b;--grid:#252e37;
--good:#6fdd8b;--good-bg:#10291a;--bad:#ff9a93;--bad-bg:#351518;--warn:#eac55f;--warn-bg:#2c2410;--link:#7fb8ff;
--c0:#aab4bf;--c1:#5ab6ee;--c2:#f58f52;--c3:#45cb9c;--c4:#e391cb;--c5:#dcc04f;
--app:#56616d;--sidecar:#a596ee;--control:#e3b341;--other:#2b343d;--leg1:#a596ee;--leg2:#56616d;--leg3:#7363c0}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1240px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:30px;line-height:1.2;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:21px;line-height:1.3;margin:0 0 6px}
h3{font-size:16px;margin:20px 0 4px}
p{margin:0 0 12px;max-width:78ch}
ul{margin:0 0 12px;padding-left:22px;max-width:82ch}
li{margin:3px 0}
a{color:var(--link)}
section{margin-top:44px;padding-top:20px;border-top:1px solid var(--rule)}
.lead,.muted,figcaption,caption{color:var(--muted)}
.lead{overflow-wrap:anywhere}
nav{margin:22px 0 0;display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px}
.state{margin:20px 0 0;padding:16px 20px;border-radius:8px;border-left:6px solid;overflow-wrap:anywhere}
.state strong{display:block;font-size:22px;line-height:1.3}
.state p,.state ul{margin:6px 0 0}
.good{background:var(--good-bg);border-color:var(--good)}.good strong{color:var(--good)}
.bad{background:var(--bad-bg);border-color:var(--bad)}.bad strong{color:var(--bad)}
.warn{background:var(--warn-bg);border-color:var(--warn)}.warn strong{color:var(--warn);font-size:17px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));gap:20px;margin:20px 0}
.card{background:var(--soft);border-radius:8px;padding:16px 20px}
.card h3{margin:0 0 10px;font-size:17px}
.card dl{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:14px 20px;margin:0}
.card dt{font-size:14px;color:var(--muted)}
.card dd{margin:0}
.big{font-size:26px;line-height:1.15;font-weight:650;white-space:nowrap}
.big small{font-size:15px;font-weight:500}
.ci{color:var(--muted);font-size:14px;white-space:nowrap}
.card.across{margin:0 0 26px}.card.across dl{grid-template-columns:repeat(auto-fit,minmax(180px,1fr))}
.scroll{overflow-x:auto;margin:0 0 14px}
table{border-collapse:collapse;font-size:15px;font-variant-numeric:tabular-nums;min-width:min(100%,560px)}
figure+.scroll,.pair+.scroll{margin-top:22px}
caption{text-align:left;font-size:14px;padding:0 0 6px;min-width:300px}
th,td{text-align:right;padding:6px 0 6px 26px;border-bottom:1px solid var(--grid);vertical-align:baseline}
th:first-child{text-align:left;padding-left:0;font-weight:400}
thead th{border-bottom:1px solid var(--rule);font-weight:650;vertical-align:bottom}
thead th:first-child{font-weight:650}
tr.group th{padding-top:16px;font-weight:650}
tr.group .muted{font-weight:400;font-size:14px}
table.words{min-width:100%}table.words td{text-align:left}table.words thead th{text-align:left}
td .ci{display:inline-block;margin-left:7px;min-width:8.6em;text-align:left}
.key{display:inline-flex;align-items:baseline;gap:7px}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;margin:4px 0 10px;font-size:15px}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,520px),1fr));gap:16px 36px;margin:10px 0}
figure{margin:0 0 10px;min-width:0}
figcaption{font-size:15px;margin-bottom:6px}
figcaption b{color:var(--text)}
details{margin:8px 0}
summary{cursor:pointer;color:var(--link)}
pre{background:var(--soft);padding:12px;border-radius:6px;overflow-x:auto;font-size:12.5px;line-height:1.45;max-height:480px}
code{font-size:.92em;overflow-wrap:anywhere}
svg{display:block;max-width:100%;height:auto;font-family:inherit;font-size:13px}
svg.narrow{display:none}
svg.free{max-width:none}
svg.sign{flex:none;align-self:center}
svg text{fill:var(--text)}
svg .tick{fill:var(--muted);font-size:12px}
svg .axis{fill:var(--muted);font-size:13px}
svg .strong{font-weight:650}
svg .halo{paint-order:stroke;stroke:var(--bg);stroke-width:4px}
.grid{stroke:var(--grid);stroke-width:1}
.frame{stroke:var(--muted);stroke-width:1}
.line{fill:none;stroke-width:2.2;stroke-linejoin:round}
.thin{fill:none;stroke-width:1.4}
.mark{stroke:var(--bg);stroke-width:1}
.mark.hollow{fill:var(--bg);stroke-width:2}
.band{opacity:.17;stroke:none}
.box{fill:var(--soft);stroke:var(--muted);stroke-width:1.2}
.wire{fill:none;stroke:var(--muted);stroke-width:1.5}
.node{fill:var(--text)}.node.hollow{fill:var(--bg);stroke:var(--text);stroke-width:1.5}
.judged{stroke-width:5;stroke-linecap:butt}.judged.pass{stroke:var(--good)}.judged.fail{stroke:var(--bad)}.judged.inconclusive{stroke:var(--warn)}
.judged-end.pass{fill:var(--good)}.judged-end.fail{fill:var(--bad)}.judged-end.inconclusive{fill:var(--warn)}.allowed{fill:var(--good-bg);stroke:none}.limit{stroke:var(--text);stroke-width:1.5}
.outcome{font-weight:650;white-space:nowrap}.outcome.pass{color:var(--good)}.outcome.fail,.outcome.invalid{color:var(--bad)}.outcome.inconclusive{color:var(--warn)}
.part{stroke:var(--bg);stroke-width:1}
.fault-fine{fill:var(--app)}.fault-late{fill:var(--control)}.fault-lost{fill:var(--bad);stroke:var(--text);stroke-width:.8}
.fault-mark{stroke:var(--text);stroke-width:1.2;stroke-dasharray:4 3}
COLOURS
@media (max-width:680px){main{padding:20px 16px 48px}h1{font-size:24px}svg.wide{display:none}svg.narrow{display:block}
th,td{padding:5px 0 5px 9px}td .ci{display:block;margin:0;min-width:0;text-align:right;font-size:12px}table{font-size:14px;min-width:0}
table.words{min-width:100%}thead .key{flex-direction:column;align-items:flex-end;gap:0}thead th:first-child .key{align-items:flex-start}.big{font-size:21px}
.card{padding:14px}.card dl{gap:12px}.ci{font-size:13px}section{margin-top:32px}}
@media (max-width:680px){tbody .sign{display:none}.card .ci{white-space:normal}}
@media (max-width:480px){table{font-size:13px}th,td{padding-left:6px}td .ci{font-size:11px}}
@media print{section{break-inside:avoid-page}nav{display:none}}
"""

_COLOURS = "".join(f".s{n}{{stroke:var(--c{n})}}.f{n}{{fill:var(--c{n})}}" for n in range(6)) + "".join(
    f".p-{name}{{fill:var(--{name})}}" for name in ("app", "sidecar", "control", "other", "leg1", "leg2", "leg3")
)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""Nothing is fetched, nothing runs: the page has no script at all."""


def document(title: str, body: str) -> str:
    """The whole file."""
    style = _STYLE.replace("COLOURS", _COLOURS).strip()
    return Html(
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="generator" content="hoptax"><title>{escaped(title)}</title>\n<style>{style}</style></head>\n'
        f"<body><main>{body}</main></body></html>\n"
    )
