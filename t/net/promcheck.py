#!/usr/bin/python3
# Reads metrics in Prometheus' text form on standard input and complains of everything that is
# not as strict as ours shall be; says nothing when all is well.
import re, sys

text = sys.stdin.read()
declared = {}
for name, kind, labels, sentence in re.findall(
        r'^METRIC\(\w+, (\w+), (\w+), "([^"]*)", "([^"]*)"\)$', open("net/io/metrics.def").read(), re.M):
    declared["cyphonic_" + name] = (kind.lower(), [x for x in labels.split(",") if x], sentence)
bad, seen, done, current, stage = [], set(), set(), None, None
if not text.endswith("\n"):
    bad.append("no newline at the end")
for i, line in enumerate(text.split("\n")[:-1], 1):
    def say(what):
        bad.append(f"line {i}: {what}: {line}")
    m = re.fullmatch(r"# HELP (\S+) (.+)", line)
    if m:
        if stage == "help" or m[1] in done:
            say("HELP out of place")
        current, stage = m[1], "help"
        done.add(current)
        if current not in declared:
            say("not declared in metrics.def")
        elif declared[current][2] != m[2]:
            say("another sentence than metrics.def has")
        continue
    m = re.fullmatch(r"# TYPE (\S+) (counter|gauge)", line)
    if m:
        if stage != "help" or m[1] != current:
            say("TYPE out of place")
        stage = "type"
        if declared.get(m[1], [""])[0] != m[2]:
            say("another type than metrics.def has")
        if m[1].endswith("_total") != (m[2] == "counter"):
            say("_total is for counters and all of them")
        continue
    m = re.fullmatch(r'([a-z][a-z0-9_]*)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)', line)
    if not m:
        say("no sample")
        continue
    name, labels, value = m[1], m[2] or "", float(m[3])
    if name != current or stage not in ("type", "sample"):
        say("sample without HELP and TYPE in front")
    stage = "sample"
    pairs = re.findall(r'([a-z]+)="([a-z0-9_.+-]+)"(?:,|$)', labels)
    if ",".join(f'{k}="{v}"' for k, v in pairs) != labels:
        say("labels are not words of ours")
    if [k for k, v in pairs] != declared.get(name, ["", []])[1]:
        say("other labels than metrics.def has")
    if (name, labels) in seen:
        say("twice")
    seen.add((name, labels))
    if declared.get(name, [""])[0] == "counter" and (value < 0 or value != int(value)):
        say("no count")
if stage not in ("sample",):
    bad.append("ends without a sample")
print("\n".join(bad), end="\n" if bad else "")
sys.exit(bool(bad))
