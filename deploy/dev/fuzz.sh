#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other, for the time given (such as 30s).
set -euo pipefail
time=${1:-30s}
ran=0
while IFS=: read -r file name; do
	echo "== $(dirname "$file") $name"
	go test "$(dirname "$file")" -run '^$' -fuzz "^$name\$" -fuzztime "$time"
	ran=$((ran + 1))
done < <(grep -rEo --include='*_test.go' --exclude-dir='.?*' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/func //' | sort)
if [ "$ran" -eq 0 ]; then
	echo "no fuzz targets found" >&2
	exit 1
fi
echo "$ran fuzz targets ran clean, $time each"
