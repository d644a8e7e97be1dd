#!/bin/sh
# Runs every fuzzer of the module for a while each, a time (30s) or a number of runs
# (3000x; a short time can be over before the inputs of earlier runs were repeated,
# which go test reports as a failure). Usage: tools/fuzz.sh TIME
set -eu

time=${1:?usage: tools/fuzz.sh TIME, for example 30s or 3000x}
go=${GO:-go}
mkdir -p build

grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sort |
while IFS=: read -r file func; do
	name=${func#func }
	dir=$(dirname "$file")
	echo "fuzz $dir $name"
	# Without -run the package's tests would all run first. Without the limit on
	# minimizing, most of the time goes into making interesting inputs smaller.
	"$go" test -run '^$' -fuzz "^$name\$" -fuzztime "$time" -fuzzminimizetime 5x "$dir" >build/fuzz.log 2>&1 || {
		cat build/fuzz.log
		exit 1
	}
done
