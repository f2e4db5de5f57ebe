#!/bin/sh
# Records the samples once more: `samples/record.sh`, from the checkout's folder, with pytest and hdp in PATH. Needs no root.
# Everything but two labs is measured for a few telling numbers only, so that the files stay small.
set -eu

few=1,6,17,47,50-51,58,89,132,136,253-254

record() { # NAME PYTEST-ARGUMENTS
  name=$1
  shift
  pytest "$@" --hdp-seed=1 --hdp-report="samples/$name" -q
  sed -i 's/Linux \([0-9]*\.[0-9]*\)[^ ,"]*/Linux \1/' "samples/$name/results.jsonl" # a build's name tells nobody anything
  hdp report "samples/$name"
  [ "$name" = capture ] || rm "samples/$name/capture.pcapng" # one is enough, and this one is small
}

record loopback suites/loopback/test_sweep.py
for lab in home-nat first-only; do
  record "$lab" suites/internet/test_sweep.py --hdp-lab="$lab"
done
for lab in transparent allowlist vpn-friendly aws-nat-gateway carrier-grade host-firewall sender-firewall rate-limited \
  ttl-short reject-netfilter reject delay duplicate reorder mangle-byte truncate clear-dscp raise-ttl forger loss-20; do
  record "$lab" suites/internet/test_sweep.py --hdp-lab="$lab" --hdp-protocols="$few"
done

# one round, one way, so that its capture is small: deliveries, rejections, the search for the hop, and the control
record capture suites/internet/test_sweep.py --hdp-lab=reject --hdp-protocols=6,47,253 -k forward --hdp-count=1
build=$(uname -r | sed 's/^[0-9]*\.[0-9]*//')
LC_ALL=C sed -i "s/Linux \([0-9]*\.[0-9]*\)$build/Linux \1$(printf '%*s' "${#build}" '')/" \
  samples/capture/capture.pcapng # as long as it was: the format counts

# nobody watches at the far end: what the target's own stack says
hdp lab run vpn-friendly -- pytest suites/internet/test_sweep.py --hdp-target=198.51.100.2 --hdp-protocols="$few" \
  --hdp-seed=1 --hdp-report=samples/agentless -q
sed -i 's/Linux \([0-9]*\.[0-9]*\)[^ ,"]*/Linux \1/' samples/agentless/results.jsonl
hdp report samples/agentless
rm samples/agentless/capture.pcapng
