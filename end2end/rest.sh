#!/usr/bin/env bash
# The loop through REST alone: curl, tokens, and the one file in an empty directory.
#   HEADROOM_BIN=… end2end/rest.sh
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
binary=$(realpath "${HEADROOM_BIN:-$here/../target/release/headroom}")
# Headroom reads HEADROOM_* as its configuration.
unset "${!HEADROOM_@}"
work=$(mktemp -d)
server=
finish() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap finish EXIT

fail() { printf 'rest: %s\n' "$*" >&2; exit 1; }
say() { printf '%s\n' "$*"; }
# Reads JSON from standard input: pick 'j.items.length'
pick() { node -e 'const j = JSON.parse(require("fs").readFileSync(0, "utf8")); const v = eval(process.argv[1]); console.log(v === null || v === undefined ? "" : typeof v === "object" ? JSON.stringify(v) : v)' "$1"; }
same() { [ "$2" = "$3" ] || fail "$1: expected $3, got $2: $(head -c 600 "$work/answer" 2>/dev/null)"; }

# One file, alone in a directory of its own.
mkdir "$work/alone" && cp "$binary" "$work/alone/headroom" && cd "$work/alone"
./headroom demo --port 0 --speed 1800 --data-dir ../data > ../out 2> ../log &
server=$!
for _ in $(seq 600); do
  address=$(sed -n 's/^Headroom is at \(http[^ ]*\).*/\1/p' ../out)
  [ -n "$address" ] && grep -q 'Ctrl-C' ../out && break
  kill -0 "$server" 2>/dev/null || fail "the demonstration ended: $(tail -5 ../log)"
  sleep 0.1
done
[ -n "$address" ] || fail "the demonstration was not ready in time"
same "the directory" "$(ls)" headroom

token() { ./headroom token create --user "$1" --data-dir ../data 2>> ../log || fail "headroom token create: $(tail -2 ../log)"; }
engineer=$(token engineer); approver=$(token approver); admin=$(token admin)

# call TOKEN METHOD PATH [BODY [KEY]]: the answer goes to $work/answer, its status to $status
call() {
  local headers=(-H "authorization: Bearer $1")
  [ $# -lt 4 ] || headers+=(-H 'content-type: application/json' --data "$4")
  [ $# -lt 5 ] || headers+=(-H "idempotency-key: $5")
  status=$(curl -sS -o "$work/answer" -w '%{http_code}' -X "$2" "${headers[@]}" "$address/api/v1$3")
}
answer() { pick "$1" < "$work/answer"; }
until_true() { # PATH, EXPRESSION
  for _ in $(seq 450); do
    call "$approver" GET "$1"; same "GET $1" "$status" 200
    [ "$(answer "$2")" = true ] && return
    sleep 0.2
  done
  fail "$1 never has $2: $(head -c 600 "$work/answer")"
}

call "nobody's" GET /services; same "a wrong token" "$status" 401
call "$admin" PUT /policy '{"scope":"fleet","key":"analysis_interval","value":"30d"}'; same "policy" "$status" 200

# analyse → job → recommendations
call "$engineer" POST /optimization/analyze '{"service_name":"fleet","optimization_types":["RESOURCE_OPTIMIZATION"],"analysis_period":"14d","include_predictions":false,"auto_apply":false}' "analyse-1"
same "analyze" "$status" 202
job=$(answer j.job_id)
call "$engineer" POST /optimization/analyze '{"service_name":"fleet","optimization_types":["RESOURCE_OPTIMIZATION"],"analysis_period":"14d","include_predictions":false,"auto_apply":false}' "analyse-1"
same "the same request with the same key" "$status $(answer j.job_id)" "202 $job"
until_true "/optimization/jobs/$job" 'j.status !== "ANALYZING"'
same "the job" "$(answer j.status)" RECOMMENDATIONS_READY
call "$engineer" GET '/optimization/recommendations?optimization_type=RESOURCE_OPTIMIZATION&view=open&limit=200'
rank='({low:0,medium:1,high:2})[r.risk.toLowerCase()]'
id=$(answer "j.items.filter(r => !r.refusal && r.substate === 'OPEN' && r.expected_improvement.cost_reduction_percent > 0).map(r => [$rank, r.recommendation_id]).sort((a, b) => a[0] - b[0])[0][1]")
of="/optimization/recommendations/$id"
call "$engineer" GET "$of"
service=$(answer j.service_name); before=$(answer j.current_state.containers); after=$(answer j.recommended_state.containers)
say "recommendation: $service: $(answer j.title)"
same "no plan before submission" "$(answer j.plan_hash)" ""

# submit, once however often it is sent
call "$engineer" POST "$of/submit" '{}' "submit-1"; same "submit" "$status" 200
cp "$work/answer" "$work/first"
call "$engineer" POST "$of/submit" '{}' "submit-1"; same "submit again" "$status" 200
cmp -s "$work/answer" "$work/first" || fail "the same key and body have another answer"
call "$engineer" POST "$of/withdraw" '{}' "submit-1"; same "the key for another request" "$status" 422
call "$approver" GET "$of"; plan=$(answer j.plan_hash); version=$(answer j.change_id)
[ ${#plan} = 64 ] || fail "no plan hash after submission: $plan"

# approve: with the plan that was seen, by someone else
other=$(printf '0%.0s' $(seq 64))
call "$approver" POST "$of/approve" "{\"plan_hash\":\"$other\"}"; same "another plan's hash" "$status" 409
call "$approver" GET "$of"; same "it changed nothing" "$(answer '[j.substate, j.plan_hash, j.change_id].join(" ")')" "PENDING_APPROVAL $plan $version"
call "$engineer" POST "$of/approve" "{\"plan_hash\":\"$plan\"}"; same "the submitter's own approval" "$status" 403
call "$approver" POST "$of/apply" "{\"plan_hash\":\"$plan\"}"; same "apply before approval" "$status" 409
call "$approver" POST "$of/approve" "{\"plan_hash\":\"$plan\"}"; same "approve" "$status $(answer 'j.approved_by[0]')" "200 approver"

# apply → 202 → APPLIED with what was measured
call "$approver" POST "$of/apply" "{\"plan_hash\":\"$other\"}"; same "apply another plan" "$status" 409
call "$approver" POST "$of/apply" "{\"plan_hash\":\"$plan\"}" "apply-1"; same "apply" "$status $(answer "j.recommendations.some(r => r.recommendation_id === '$id')")" "202 true"
came=$(answer j.job_id)
call "$approver" POST "$of/apply" "{\"plan_hash\":\"$plan\"}" "apply-1"; same "apply again" "$status $(answer j.job_id)" "202 $came"
until_true "$of" '["APPLIED", "ROLLED_BACK", "FAILED"].includes(j.status)'
same "the outcome" "$(answer '[j.status, j.applied, j.effect.metrics.length > 0].join(" ")')" "APPLIED true true"
say "applied: $(answer j.effect.summary)"
call "$engineer" GET "/services/$service"; same "the service" "$(answer j.state.containers)" "$after"

# roll back
call "$engineer" POST "$of/rollback" '{"reason":"I would like to"}'; same "without the role" "$status" 403
call "$approver" POST "$of/rollback" '{"reason":"to see it work"}'; same "rollback" "$status" 202
until_true "$of" '["ROLLED_BACK", "FAILED"].includes(j.status)'
same "taken back" "$(answer '[j.status, j.applied].join(" ")')" "ROLLED_BACK false"
until_true "/services/$service" "JSON.stringify(j.state.containers) === '$before'"
call "$engineer" GET "/optimization/recommendations/nobody"; same "an unknown id" "$status" 404
./headroom verify-audit --data-dir ../data > "$work/answer" 2>&1 || fail "the audit chain: $(cat "$work/answer")"
say "rolled back; $(cat "$work/answer")"
