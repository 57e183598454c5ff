#!/bin/sh
# chromium.sh   The browser that drives the console's pages in tests: the machine's own, or Debian's package, with a font that has
# Chinese. No browser of playwright's is downloaded.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
command -v chromium >/dev/null 2>&1 || "$here/apt_install.sh" chromium fonts-noto-cjk
command -v chromium >/dev/null 2>&1 || die "chromium is not on the PATH" "未找到 chromium"
say "browser: $(chromium --version 2>/dev/null | tail -n 1)"
