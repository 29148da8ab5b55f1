#!/bin/sh
# A broker, a local Jira over TLS, two workers and one step, on one machine: sh examples/queue/plain.sh
# Needs: apt-get install redis-server; pip install 'jira-ci-core[celery,oauth,sandbox]'
# For RabbitMQ in place of Redis: JIRA_CI_BROKER_URL=amqp://guest:guest@127.0.0.1:5672// sh examples/queue/plain.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d)
cd "$folder"
running=""
trap 'kill $running 2>/dev/null; wait; rm -rf "$folder"' EXIT

export JIRA_CI_QUEUE_KEY="$(python3 -c 'import secrets; print(secrets.token_hex(32))')"
if [ -z "${JIRA_CI_BROKER_URL:-}" ]; then
    port=${REDIS_PORT:-6390}
    redis-server --port "$port" --bind 127.0.0.1 --appendonly yes --appendfsync always > redis.log 2>&1 &
    running="$running $!"
    export JIRA_CI_BROKER_URL="redis://127.0.0.1:$port/0"
fi

jira-ci sandbox --port 0 --tls --mint --projects MYT --format json > jira.json &
running="$running $!"

for name in one two; do
    "$here/with-local-jira" jira.json jira-ci worker -n "$name@localhost" --concurrency 2 > "$name.log" 2>&1 &
    running="$running $!"
done

# The step, which has no credential of Jira.
site=$("$here/with-local-jira" jira.json sh -c 'echo $JIRA_CI_INSTANCE')
jira-ci report --delivery celery --instance "$site" --project MYT --issuekeys MYT-1 --pipeline shop --run-number 1 \
    --link https://ci.example/1 --state successful

# Wait until Jira shows the report; asking Jira needs a credential.
for second in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    if "$here/with-local-jira" jira.json jira-ci show --project MYT --pipeline shop --run-number 1 2> shown.log; then break; fi
    sleep 1
done
cat shown.log
jira-ci queue status
