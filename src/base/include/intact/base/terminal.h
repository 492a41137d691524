#pragma once

namespace intact {

/// Makes the process one that no terminal knows of: a session of its own, directory /, stdin from
/// /dev/null, stdout and stderr to `log_fd`.
void leave_terminal(int log_fd);

}  // namespace intact
