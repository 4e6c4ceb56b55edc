#!/usr/bin/env bash
# The MCP Inspector's command line against a running service: it lists and calls each tool, over HTTP in both
# protocol eras and over standard input and output.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
server=
stop() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap stop EXIT

npm install --silent --no-audit --no-fund --prefix "$work/inspector" @modelcontextprotocol/inspector@2.12.0
. .ci/serve
start_service "$work"
bun=$PWD/node_modules/.bin/bun
main=$PWD/src/main.ts
id=01a1fd02-88d0-73cb-9798-39aa1d449156

inspect() { timeout 60 "$bun" "$work/inspector/node_modules/.bin/mcp-inspector" --cli "$@"; }
over_http() { local era=$1; shift; inspect "$address/mcp" --transport http --protocol-era "$era" --header "X-API-Key: $key" "$@"; }
legacy() { over_http legacy "$@"; }
modern() { over_http modern "$@"; }
stdio() { inspect "$@" -e "TRACEPIPE_API_KEY=$key" -e "TRACEPIPE_URL=$address" -- "$bun" "$main" mcp; }

fail() { echo "inspector: $1" >&2; exit 1; }

for way in legacy modern stdio; do
  # A problem that a model's provider would refuse a tool for is an error here.
  tools=$("$way" --method tools/list --strict 2>"$work/strict" | sed -n 's/^      "name": "\(.*\)",$/\1/p') || fail "$(cat "$work/strict")"
  [ "$(wc -w <<<"$tools")" = 12 ] || fail "$way lists: $tools"
  for tool in $tools; do
    argument=
    expected='"structuredContent"'
    case $tool in
      get_suite) argument="suite_id=$id" ;;
      get_tool) argument="tool_id=$id" ;;
      get_session_timeline) argument="session_id=$id" ;;
      get_example | get_example_messages) argument="example_id=$id" ;;
      create_example) argument="session_id=$id model_id=$id" ;;
      report_log) argument='entries=[{"event_type":"inspected"}]' ;;
    esac
    # Nothing is there yet: an id leads to a tool's error that says so.
    case $argument in *"$id"*) expected='not_found' ;; esac
    # shellcheck disable=SC2086 # two arguments are two words
    answer=$("$way" --method tools/call --tool-name "$tool" ${argument:+--tool-arg $argument} 2>&1) || true
    grep -q "$expected" <<<"$answer" || fail "$way, $tool answered: $answer"
  done
  "$way" --method prompts/list | grep -q few_shot || fail "$way lists no prompt"
  "$way" --method resources/templates/list | grep -q 'tracepipe://sessions/{id}' || fail "$way lists no template"
  echo "inspector: $way lists and calls $(wc -w <<<"$tools") tools"
done
