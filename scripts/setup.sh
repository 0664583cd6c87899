#!/bin/sh
# Brings this checkout to what a make target needs, and does nothing when it is there already.
#   setup.sh run     the virtual environment with what the app needs
#   setup.sh dev     the same, with the tools of `make check`, some of which run on Node
#   setup.sh test    dev, a browser, and the servers that are not in the virtual environment
set -eu
cd "$(dirname "$0")/.."

venv=.venv
export PIP_DISABLE_PIP_VERSION_CHECK=1
old_nats=/usr/sbin/nats-server
browsers="chromium chromium-browser google-chrome google-chrome-stable"

say() { echo "oO: $*"; }
fail() { echo "oO: $*" >&2; exit 1; }
is_root() { [ "$(id -u)" = 0 ]; }
has() { command -v "$1" >/dev/null 2>&1; }

# Stamps hold a checksum of what was installed, not a time: a checkout, a touch or a copy installs nothing again.
sum() { { pwd; cat "$@"; } | cksum; }
is_current() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

apt_install() {
    say "installing $* with apt-get"
    mkdir -p data
    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; } \
        >data/apt.log 2>&1 || { tail -n 5 data/apt.log >&2; fail "apt-get could not install $*; all of it is in data/apt.log"; }
}

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_new_enough "$PYTHON" || fail "$PYTHON is not Python 3.11 or newer"
        python=$PYTHON
        return
    fi
    for python in python3.11 python3 python3.12 python3.13 python3.14; do
        is_new_enough "$python" && return
    done
    fail "oO needs Python 3.11 or newer, and none was found (PYTHON=/path/to/python make run uses another one)"
}

# A virtual environment knows its own path, so one that was moved or copied is made again.
venv_is_sound() {
    is_new_enough $venv/bin/python && grep -qF "$PWD/$venv" $venv/bin/activate &&
        $venv/bin/python -m pip --version >/dev/null 2>&1
}

# To make it again is to empty it first: through a link that would be another checkout's.
make_venv() {
    [ ! -L $venv ] || fail "$venv is a link; remove it, and this checkout gets one of its own"
    find_python
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        is_root && has apt-get || fail "$python cannot make a virtual environment: install the package $package"
        apt_install "$package"
    fi
    say "making a virtual environment with $("$python" --version)"
    "$python" -m venv --clear $venv
}

# uv installs about twenty times faster than pip; where it cannot be had, pip does.
install() {
    if $venv/bin/uv --version >/dev/null 2>&1 || $venv/bin/pip install -q -c constraints.txt uv; then
        UV_FIND_LINKS="${UV_FIND_LINKS:-${PIP_FIND_LINKS:-}}" \
            $venv/bin/uv pip install -q -p $venv/bin/python -c constraints.txt -e "$1" && return
        say "uv could not install; trying pip"
    fi
    $venv/bin/pip install -q -c constraints.txt -e "$1"
}

python_packages() { # python_packages run|dev
    want=$(sum pyproject.toml constraints.txt)
    if [ -x $venv/bin/python ]; then
        is_current $venv/.oo-dev "$want" && return
        [ "$1" = run ] && is_current $venv/.oo-run "$want" && return
    fi
    venv_is_sound || make_venv
    say "installing Python packages"
    case $1 in run) install . ;; *) install '.[dev]' ;; esac
    echo "$want" >$venv/.oo-"$1"
}

browser() {
    for name in $browsers; do has "$name" && return; done
    if is_root && has apt-get; then
        apt_install chromium fonts-dejavu-core
        return
    fi
    PLAYWRIGHT_NODEJS_PATH="$PWD/$venv/bin/node" $venv/bin/python - 2>/dev/null <<'PY' || fail "the tests need a browser: install Chromium (package chromium) or run 'playwright install chromium'"
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not pathlib.Path(playwright.chromium.executable_path).exists())
PY
}

# The old NATS of Debian, beside the new one of the virtual environment; the tests run it by its path.
nats() {
    [ -x $old_nats ] && return
    is_root && has apt-get || fail "the tests need NATS 2.9 as $old_nats: install the package nats-server"
    apt_install nats-server
}

node_packages() {
    want=$(sum tests/node/package-lock.json)
    is_current tests/node/node_modules/.oo "$want" && return
    say "installing tools and test servers written for Node"
    PATH="$PWD/$venv/bin:$PATH" npm --prefix tests/node ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
    echo "$want" >tests/node/node_modules/.oo
}

case ${1:-} in
run) python_packages run ;;
dev)
    python_packages dev
    node_packages
    ;;
test)
    python_packages dev
    node_packages
    browser
    nats
    ;;
*) fail "usage: setup.sh run|dev|test" ;;
esac
