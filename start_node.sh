#!/usr/bin/env bash
# Start this machine's part of a Ray cluster: a raylet for each class of GPU, with its own GPUs, cores and label.
# cluster.yaml cannot say that machines differ, so each machine examines itself here. See docs/clusters.md.
set -euo pipefail

usage() {
    cat <<'END'
./start_node.sh head [OPTION]...                   start a cluster, with this machine in it
./start_node.sh worker HEAD_IP[:PORT] [OPTION]...  let this machine join a cluster
./start_node.sh plan                               print this machine's raylets: class, cores, GPUs; start nothing
./start_node.sh stop                               end the processes that this script started here, and no others
./start_node.sh token                              print the cluster's token; make one if there is none

An OPTION is an option of `ray start`, for the head's own process or for every raylet of a worker.

SWEEPS_RAYLETS  raylets and their cores, such as 'tesla-k80=8 gtx-1070=4 cpu=4' or 'all=16': classes as `plan` prints
                them, `cpu` without a GPU, `all` with every GPU. Default: a raylet for each class, with the same
                number of cores for every GPU
SWEEPS_PYTHON   an interpreter with this project's packages; default .venv/bin/python beside this script, else python3
RAY_TMPDIR      a short path for Ray's sockets and logs; default /tmp. Each cluster of a machine needs its own

The token is the one in RAY_AUTH_TOKEN, in the file RAY_AUTH_TOKEN_PATH, or in ~/.ray/auth_token.
END
}

mistake() { # MESSAGE...: end with the exit code of a user's mistake
    echo "start_node.sh: $*" >&2
    exit 2
}

fail() { # MESSAGE...: end with the exit code of a failure
    echo "start_node.sh: $*" >&2
    exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${SWEEPS_PYTHON:-$here/.venv/bin/python}
[ -n "${SWEEPS_PYTHON:-}" ] || [ -x "$python" ] || python=python3
export RAY_TMPDIR=${RAY_TMPDIR:-/tmp} # Ray's default is TMPDIR, which may be too long for its sockets
ray_directory=$RAY_TMPDIR/ray
token=$HOME/.ray/auth_token
mark=SWEEPS_NODE=$ray_directory # in the environment of every process that is started here: `stop` finds them by it

export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0 CUDA_DEVICE_ORDER=PCI_BUS_ID
# The same settings as LOCAL_SETTINGS in actors/ray_pool/cluster.py, which gives the reasons.
export RAY_worker_niceness=0 RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=1 RAY_worker_killing_policy_by_group=1
export RAY_memory_monitor_refresh_ms=1000 RAY_grpc_enable_http_proxy=0
if [ -n "${http_proxy:-}${HTTP_PROXY:-}${https_proxy:-}${HTTPS_PROXY:-}${all_proxy:-}${ALL_PROXY:-}" ]; then
    around=127.0.0.1,localhost,::1,$(hostname -I 2>/dev/null | xargs | tr ' ' ,) # Ray's own connections
    export no_proxy=${no_proxy:+$no_proxy,}${NO_PROXY:+$NO_PROXY,}$around
    export NO_PROXY=$no_proxy
fi
unset RAY_ADDRESS # it may be another cluster's; this script's own arguments name the address
# `ray up` sets version 2 of the autoscaler, which starts no on-prem workers (ray-project/ray#57153), takes each raylet
# for a machine, and ends raylets beyond the number of machines. Version 1 does none of this.
unset RAY_enable_autoscaler_v2 RAY_CLOUD_INSTANCE_ID RAY_NODE_TYPE_NAME

check_python() {
    "$python" -P -c 'import ray' 2>/dev/null ||
        mistake "$python has no Ray; set the project up with 'make', or name an interpreter that has it in SWEEPS_PYTHON"
}

ours_py() { # MODULE ARGUMENT...: run a module of this project, whatever files the working directory has
    PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} "$python" -P -m "$@"
}

plan() {
    # shellcheck disable=SC2086 # the variable is a list of words
    ours_py actors.devices.raylets ${SWEEPS_RAYLETS:-}
}

make_token() {
    [ -z "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ] || return 0
    if [ ! -s "$token" ]; then
        # Ray would make the file readable for everybody; with this umask it never is.
        (umask 077 && mkdir -p "${token%/*}" && "$python" -P -m ray.scripts.scripts get-auth-token --generate >/dev/null)
    fi
    chmod 600 "$token"
}

# start CLASS CORES GPUS [OPTION]...: start a raylet with those cores ('-': not pinned, offers none) and GPUs ('-': none)
start() {
    local class=$1 cores=$2 gpus=${3/#-/} pin=() cpus=0
    shift 3
    if [ "$cores" != - ]; then
        pin=(taskset -c "$cores")
        cpus=$(count "$cores")
    fi
    env "$mark" CUDA_VISIBLE_DEVICES="$gpus" "${pin[@]}" "$python" -P -m ray.scripts.scripts start \
        --num-cpus="$cpus" --num-gpus="$(count "$gpus")" --labels="sweeps.io/device-class=$class" \
        --object-store-memory=$((200 * 2 ** 20)) --dashboard-agent-listen-port=0 \
        --include-log-monitor="$first_here" "$@" >"$log" 2>&1 || {
        cat "$log" >&2
        stop
        fail "Ray did not start the raylet '$class'; its output is above, and nothing is left running"
    }
    echo "started $class: $cpus cores${gpus:+, $(count "$gpus") GPUs}"
    first_here=false
}

count() { # LIST: print the number of entries of a list with commas
    local entries
    IFS=, read -ra entries <<<"$1"
    echo ${#entries[@]}
}

# Raylets start one after the other: if they started together, they could take each other's ports.
start_raylets() { # ADDRESS [OPTION]...
    local address=$1 class cores gpus
    shift
    while read -r class cores gpus; do
        start "$class" "$cores" "$gpus" --address="$address" "$@" </dev/null
    done <<<"$raylets"
}

prepare() {
    check_python
    command -v taskset >/dev/null || mistake "no taskset, which pins a raylet to its cores; install util-linux, which has it"
    [ -z "$(ours)" ] || mistake "a node of $ray_directory runs here already; end it first: ./start_node.sh stop"
    ours_py actors.ray_pool.surroundings || exit 2
    raylets=$(plan) || exit 2
    first_here=true # one log monitor a host is enough
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
}

head() {
    prepare
    make_token
    # The head's own raylet offers no cores and is not pinned: it runs control processes and coordinators only.
    start head - - --head --port=6379 --dashboard-host=127.0.0.1 "$@"
    local address
    address=$(<"$ray_directory/ray_current_cluster")
    start_raylets "$address"
    local port=8265 option
    for option in "$@"; do
        [[ $option != --dashboard-port=* ]] || port=${option#*=}
    done
    cat <<END
sweep on it with:    python -m sweeps.run SPEC --address $address
watch it at:         http://127.0.0.1:$port, which asks for the token: ./start_node.sh token
join it with:        ./start_node.sh worker $address
end it with:         ./start_node.sh stop
END
}

worker() {
    [ $# -gt 0 ] || mistake "worker needs the head's address: ./start_node.sh worker HEAD_IP[:PORT]"
    local address=$1
    shift
    [[ $address == *:* ]] || address+=:6379
    prepare
    [ -s "$token" ] || [ -n "${RAY_AUTH_TOKEN:-}${RAY_AUTH_TOKEN_PATH:-}" ] ||
        mistake "no token in $token; copy the head's: scp HEAD:.ray/auth_token $token && chmod 600 $token"
    make_token
    ours_py actors.ray_pool.token "$address" || exit 2
    start_raylets "$address" "$@"
}

ours() { # print a line for each process that this script started: its id and its program
    local environment
    { grep -lszxF "$mark" /proc/[0-9]*/environ || true; } | while read -r environment; do
        echo "$(cut -d/ -f3 <<<"$environment") $(cat "${environment%environ}comm" 2>/dev/null)"
    done
}

end() { # SIGNAL FILTER...: signal the processes that `grep FILTER` selects; succeed if they end within 10 s
    local signal=$1 tries
    shift
    ours | grep "$@" | cut -d' ' -f1 | xargs -r kill -s "$signal" 2>/dev/null || true
    for ((tries = 0; tries < 100; tries++)); do
        ours | grep "$@" >/dev/null || return 0
        sleep 0.1
    done
    return 1
}

# `ray stop` would end every Ray of this user. The order is that of `ray stop`: raylets and other control processes
# report their end to the head's gcs_server, so that it ends last.
stop() {
    [ -n "$(ours)" ] || return 0
    end TERM ' raylet$' || true
    end TERM -v ' gcs_server$' || true
    end TERM . || end KILL . || fail "these processes do not end: $(ours | paste -sd,)"
    rm -f "$ray_directory/ray_current_cluster" # otherwise `--address auto` would still look there
}

case ${1:-} in
head | worker) "$@" ;;
plan) check_python && plan ;;
stop) stop ;;
token)
    check_python
    make_token
    "$python" -P -m ray.scripts.scripts get-auth-token 2>/dev/null
    echo
    ;;
*)
    usage >&2
    exit 2
    ;;
esac
