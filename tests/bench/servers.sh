# Servers under test: each in the foreground of its own shell job, on a free loopback port, with all
# its files below $WORK. They are stopped by their pids when the shell that sourced this ends.
# shellcheck shell=bash disable=SC2034 # variables here are read by run.sh

WORK=$(mktemp -d)
SERVERS=()

stop_servers() {
  local pid
  for pid in "${SERVERS[@]+"${SERVERS[@]}"}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${SERVERS[@]+"${SERVERS[@]}"}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$WORK"
}
trap stop_servers EXIT
trap 'exit 130' INT TERM

die() {
  echo "bench: $*" >&2
  exit 1
}

# wait_for COMMAND...: tries it until it succeeds, for 20 s at most.
wait_for() {
  local until=$((SECONDS + 20))
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.05
  done
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
  local port
  while :; do
    port=$((RANDOM % 20000 + 12000))
    listening "$port" || { echo "$port" && return; }
  done
}

# start_daemon NAME [FLAG...]: sets DAEMON_URL, DAEMON_PID and RUSTYDB_TOKEN.
start_daemon() {
  local name=$1 line
  shift
  : >"$WORK/$name.out"
  "$BIN" serve --data "$WORK/$name" --listen 127.0.0.1:0 "$@" \
    >"$WORK/$name.out" 2>"$WORK/$name.err" </dev/null &
  DAEMON_PID=$!
  SERVERS+=("$DAEMON_PID")
  wait_for grep -q . "$WORK/$name.out" || {
    tail -n 20 "$WORK/$name.err" >&2
    die "the daemon did not get ready"
  }
  line=$(head -n 1 "$WORK/$name.out")
  [[ $line =~ https?://127\.0\.0\.1:[0-9]+ ]] || die "the daemon said: $line"
  DAEMON_URL=${BASH_REMATCH[0]}
  RUSTYDB_TOKEN=$(cat "$WORK/$name/root.token")
  export RUSTYDB_TOKEN
}

stop_daemon() {
  kill -TERM "$DAEMON_PID"
  wait "$DAEMON_PID" || true
}

NCHAN_MODULE=
for f in /usr/lib/nginx/modules/ngx_nchan_module.so /usr/lib64/nginx/modules/ngx_nchan_module.so; do
  [ -e "$f" ] && NCHAN_MODULE=$f
done
NGINX=$(PATH=$PATH:/usr/sbin command -v nginx || true)

# start_nginx ANSWER_BYTES: one worker; /static.json has so many bytes, and where nchan is installed
# /pub and /sub are a channel. Sets NGINX_URL and NGINX_PID (the worker's).
start_nginx() {
  local port dir=$WORK/nginx master as_root=
  port=$(free_port)
  mkdir -p "$dir/www" "$dir/tmp"
  head -c "$1" /dev/zero | tr '\0' x >"$dir/www/static.json"
  [ "$(id -u)" != 0 ] || as_root="user $(id -un);"
  cat >"$dir/nginx.conf" <<CONF
${NCHAN_MODULE:+load_module $NCHAN_MODULE;}
$as_root
worker_processes 1;
worker_rlimit_nofile $(ulimit -n);
daemon off;
pid nginx.pid;
error_log error.log warn;
events { worker_connections 12000; use epoll; multi_accept on; }
http {
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  open_file_cache max=10 inactive=1h;
  open_file_cache_valid 1h;
  client_body_temp_path tmp/body;
  proxy_temp_path tmp/proxy;
  fastcgi_temp_path tmp/fastcgi;
  uwsgi_temp_path tmp/uwsgi;
  scgi_temp_path tmp/scgi;
  server {
    listen 127.0.0.1:$port backlog=4096;
    root www;
    ${NCHAN_MODULE:+location = /pub { nchan_publisher; nchan_channel_id bench; nchan_store_messages off; \}}
    ${NCHAN_MODULE:+location = /sub { nchan_subscriber websocket; nchan_channel_id bench; nchan_subscriber_first_message newest; \}}
  }
}
CONF
  "$NGINX" -p "$dir" -e "$dir/error.log" -c nginx.conf >"$dir/out" 2>&1 </dev/null &
  master=$!
  SERVERS+=("$master")
  wait_for listening "$port" || {
    cat "$dir/out" "$dir/error.log" >&2
    die "nginx did not start"
  }
  NGINX_PID=$(pgrep -P "$master" | head -n 1)
  NGINX_URL=http://127.0.0.1:$port
}

REDIS=$(command -v redis-server || true)

# start_redis ANSWER_BYTES: the key "bench" holds so many bytes. Sets REDIS_URL and REDIS_PID.
start_redis() {
  local port dir=$WORK/redis
  port=$(free_port)
  mkdir -p "$dir"
  "$REDIS" --bind 127.0.0.1 --port "$port" --dir "$dir" --save '' --appendonly no \
    --maxclients 12000 >"$dir/out" 2>&1 </dev/null &
  REDIS_PID=$!
  SERVERS+=("$REDIS_PID")
  wait_for listening "$port" || {
    cat "$dir/out" >&2
    die "redis did not start"
  }
  head -c "$1" /dev/zero | tr '\0' x | redis-cli -p "$port" -x set bench >/dev/null
  REDIS_URL=redis://127.0.0.1:$port
}
