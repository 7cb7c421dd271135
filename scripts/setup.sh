#!/bin/sh
# Installs what the tests need: the packages of the lockfiles, redis-server and Chromium. May be run again at any time.
#
#   sh scripts/setup.sh           install what is missing
#   sh scripts/setup.sh --check   only say what is there; exit 1 if something is missing
#
# It runs under whatever Node the system has: the one the project needs comes with npm ci. With CI=true it never asks
# anything. CHROMIUM_PATH names a Chromium or Chrome that is somewhere else.
set -eu
cd "$(dirname "$0")/.."

# Under `npm run`, PATH begins with node_modules/.bin, whose node is about to be replaced.
PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -v '/node_modules/\.bin$' | paste -s -d : -)
export PATH

main() {
  if [ "${1:-}" != --check ]; then
    say 'installing the packages of package-lock.json (npm ci)'
    npm ci --no-audit --no-fund
    say 'installing the packages of bench/package-lock.json'
    npm ci --no-audit --no-fund --prefix bench
    say 'installing the packages of test/suites/package-lock.json'
    npm ci --no-audit --no-fund --ignore-scripts --prefix test/suites
    missing=$(missing_programs)
    [ -z "$missing" ] || install "$missing"
  fi
  report
}

say() {
  printf 'setup: %s\n' "$*"
}

fail() {
  printf 'setup: %s\n' "$*" >&2
  exit 1
}

find_redis() {
  command -v "${REDIS_SERVER_PATH:-redis-server}"
}

# The same places as in test/support/chromium.ts.
find_chromium() {
  if [ -n "${CHROMIUM_PATH:-}" ]; then
    command -v "$CHROMIUM_PATH"
    return
  fi
  for place in /usr/bin/chromium /usr/bin/chromium-browser /snap/bin/chromium /usr/bin/google-chrome \
    /Applications/Chromium.app/Contents/MacOS/Chromium \
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'; do
    if [ -x "$place" ]; then
      printf '%s\n' "$place"
      return
    fi
  done
  return 1
}

missing_programs() {
  find_redis >/dev/null || printf 'redis '
  find_chromium >/dev/null || printf 'chromium '
}

# Prints the line that installs the programs, for the package manager of this system.
install_line() {
  redis='' chromium=''
  if command -v apt-get >/dev/null; then
    case $1 in *redis*) redis=' redis-server' ;; esac
    case $1 in *chromium*) chromium=' chromium' ;; esac
    printf 'apt-get update && apt-get install -y --no-install-recommends%s%s' "$redis" "$chromium"
  elif command -v dnf >/dev/null; then
    case $1 in *redis*) redis=' /usr/bin/redis-server' ;; esac
    case $1 in *chromium*) chromium=' chromium' ;; esac
    printf 'dnf install -y%s%s' "$redis" "$chromium"
  elif command -v apk >/dev/null; then
    case $1 in *redis*) redis=' redis' ;; esac
    case $1 in *chromium*) chromium=' chromium' ;; esac
    printf 'apk add --no-cache%s%s' "$redis" "$chromium"
  elif command -v brew >/dev/null; then
    case $1 in *redis*) redis='brew install redis' ;; esac
    case $1 in *chromium*) chromium='brew install --cask google-chrome' ;; esac
    printf '%s' "$redis${redis:+${chromium:+ && }}$chromium"
  fi
}

install() {
  line=$(install_line "$1")
  [ -n "$line" ] || fail "no apt-get, dnf, apk or brew here; install by hand: $1(or set CHROMIUM_PATH), then run: npm run setup"
  by_hand=$line
  case $line in
    brew*) set -- sh -c "$line" ;; # refuses to run as root
    *)
      by_hand="sudo sh -c '$line'"
      if [ "$(id -u)" = 0 ]; then
        by_hand=$line
        set -- sh -c "$line"
      elif command -v sudo >/dev/null; then
        # Before sudo, which clears the environment; -n: fail rather than ask.
        set -- sudo ${CI:+-n} env ${CI:+DEBIAN_FRONTEND=noninteractive} sh -c "$line"
      else
        fail "neither root nor sudo here; run as root: $line"
      fi
      ;;
  esac
  [ -z "${CI:-}" ] || export DEBIAN_FRONTEND=noninteractive
  say "installing programs: $line"
  "$@" || fail "that failed; run by hand: $by_hand"
}

# A test that could not run must not look like one that passed, so this is the last word.
report() {
  [ -z "$(missing_programs)" ] || fail "still missing: $(missing_programs); run: ${by_hand:-npm run setup}"
  say "redis-server: $(find_redis)"
  say "Chromium: $(find_chromium)"
}

main "$@"
