#!/usr/bin/env bash
# Fuzzes a running service from its own OpenAPI document with schemathesis, in at most three minutes.
# Needs `schemathesis` 4 on the path (pip install schemathesis). FUZZ_SECONDS and FUZZ_SEED may be set.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v schemathesis >/dev/null || { echo "fuzz: schemathesis is not installed (pip install schemathesis)" >&2; exit 2; }

work=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT

. .ci/serve
start_service "$work"

# The same key for both schemes: two different credentials on one request are a 400 of their own.
cat >"$work/schemathesis.toml" <<TOML
[auth.openapi.api_key]
api_key = "$key"
[auth.openapi.bearer]
bearer = "$key"
# Generating its cases fails inside schemathesis ("Inconsistent results"); the other phases test it.
[[operations]]
include-operation-id = "action_tool_maps.put"
phases.coverage.enabled = false
TOML
# A longer URL than the HTTP server takes is its own, bare 431: nothing of ours is asked then.
cat >"$work/hooks.py" <<'PY'
from urllib.parse import quote, urlencode
import schemathesis

@schemathesis.serializer("application/offset+octet-stream")
def bytes_as_they_are(context, value):
    return value if isinstance(value, bytes) else str(value).encode()

@schemathesis.hook
def filter_case(context, case):
    query = {str(name): value for name, value in dict(case.query or {}).items()}
    headers = sum(len(str(value).encode()) for value in dict(case.headers or {}).values())
    return len(quote(str(case.formatted_path))) + len(urlencode(query, doseq=True, errors="replace")) + headers < 12_000
PY

# The key that all of it runs with may not be revoked, or made to expire, on the way. What is valid
# by its schema may still be refused for its content (a cursor, an archive), so that is not checked.
cd "$work"
# Some Pythons fail inside the tool, at random ("AST constructor recursion depth mismatch", "Inconsistent
# results" of its own generating): no finding. A finding is listed as a failure.
fuzz() {
  run "$@" 2>&1 | tee out && return
  if grep -q "= FAILURES =" out || ! grep -qE "AST constructor recursion depth|Inconsistent results" out; then return 1; fi
}
run() {
  SCHEMATHESIS_HOOKS=hooks schemathesis --config-file schemathesis.toml run "$address/openapi.json" \
    --exclude-operation-id api_keys.revoke --exclude-operation-id api_keys.update \
    --max-examples 50 --workers 2 --request-timeout 10 --seed "${FUZZ_SEED:-1}" --continue-on-failure --warnings off "$@"
}
tus='^/v1/uploads(/\{id\})?$'
logs='^/v1/logs/batch$'
fuzz --exclude-path-regex "$tus|$logs" --checks all --exclude-checks positive_data_acceptance --max-time "${FUZZ_SECONDS:-120}"
# tus has statuses of its own, such as a 412 for a missing header; its rules are tested by its own client.
# What is wrong with one log entry refuses that one, and says so in an answer of 200.
fuzz --include-path-regex "$logs" --checks all --exclude-checks positive_data_acceptance,negative_data_rejection --max-time 15
fuzz --include-path-regex "$tus" --checks not_a_server_error,response_schema_conformance --max-time 20
if grep -q '"a request failed"' log; then
  grep -m 5 '"a request failed"' log >&2
  echo "fuzz: the service logged failures of its own" >&2
  exit 1
fi
