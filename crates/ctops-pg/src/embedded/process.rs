//! The server as a child process that never outlives this one, and what other servers run.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use nix::errno::Errno;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpid, getppid};
use tokio::sync::{oneshot, watch};

/// A running server.
pub(super) struct Server {
    pid: u32,
    /// Empty once the process was reaped: from then on its id may belong to somebody else.
    child: Arc<Mutex<Option<Child>>>,
    exit: watch::Receiver<Option<String>>,
}

impl Server {
    /// Starts `command` in a thread that lives as long as the process, and gives `lock` back when that ends.
    ///
    /// The thread is needed because the parent-death signal is about the *thread* that made the child (prctl(2)): made
    /// by a thread of the runtime's pool, the server would be stopped when that thread is retired.
    pub(super) async fn spawn(mut command: Command, lock: Arc<File>) -> io::Result<Self> {
        // Immediate shutdown: the next start replays the log. A fast one would first write everything to a disk that may be
        // busy, or wait for a recovery that is under way, while the next process of the product waits to take over.
        die_with_parent(&mut command, Signal::SIGQUIT);
        // A process group of its own: Ctrl-C at the terminal must not stop the database before its users.
        command.process_group(0);

        let (started, start) = oneshot::channel();
        let (exited, exit) = watch::channel(None);
        thread::Builder::new().name("postgres".to_owned()).spawn(move || {
            let child = match command.spawn() {
                Ok(child) => child,
                Err(error) => {
                    // The receiver waits below, unless the caller was cancelled: then there is nobody to tell.
                    let _ = started.send(Err(error));
                    return;
                }
            };
            let pid = child.id();
            let child = Arc::new(Mutex::new(Some(child)));
            if started.send(Ok((pid, Arc::clone(&child)))).is_err() {
                signal(&child, Signal::SIGINT);
            }
            wait_for_end(pid);
            let status =
                child.lock().unwrap_or_else(PoisonError::into_inner).take().map(|mut child| child.wait());
            drop(lock);
            let how = match status {
                Some(Ok(status)) => status.to_string(),
                _ => "exit status unknown".to_owned(),
            };
            exited.send_replace(Some(how));
        })?;
        let (pid, child) = start.await.map_err(|_| io::Error::other("the thread of the server ended"))??;
        Ok(Self { pid, child, exit })
    }

    /// The process id of the server.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Resolves with exit status or signal, in words, when the process has ended.
    pub(super) fn exited(&self) -> impl Future<Output = String> + Send + 'static {
        let mut exit = self.exit.clone();
        async move {
            match exit.wait_for(Option::is_some).await {
                Ok(how) => how.clone().unwrap_or_default(),
                Err(_) => "exit status unknown".to_owned(),
            }
        }
    }

    /// Sends `signal`; nothing happens when the process has ended.
    pub(super) fn signal(&self, signal_to_send: Signal) {
        signal(&self.child, signal_to_send);
    }
}

fn signal(child: &Mutex<Option<Child>>, signal: Signal) {
    if let Some(child) = child.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
        // The only error possible for a child that was not reaped is a permission lost on the way to another account,
        // which root does not lose.
        let _ = kill(pid_of(child.id()), signal);
    }
}

/// Waits until the child has ended, but leaves it for [`Child::wait`], so that its id stays reserved.
fn wait_for_end(pid: u32) {
    while waitid(Id::Pid(pid_of(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}

/// Makes the kernel send `signal` to the child when the thread that spawns it ends, even by `kill -9` of this process.
#[expect(unsafe_code, reason = "there is no safe way to run prctl between fork and exec")]
pub(super) fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = getpid();
    let before_exec = move || {
        set_pdeathsig(signal)?;
        // The parent may have died before the line above.
        if getppid() == parent { Ok(()) } else { Err(io::Error::from_raw_os_error(Errno::ECHILD as i32)) }
    };
    // SAFETY: between fork and exec only async-signal-safe functions may run (signal-safety(7)). The closure makes two
    // plain system calls, allocates nothing, takes no lock and touches no memory but its own copies.
    unsafe {
        command.pre_exec(before_exec);
    }
}

/// A PostgreSQL process that works in `data`, whoever started it.
pub(super) fn server_in(data: &Path) -> Option<u32> {
    let data = data.canonicalize().ok()?;
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.find(|pid| {
        is_postgres(*pid) && fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == data)
    })
    .or_else(|| named_in_pid_file(&data).filter(|pid| is_postgres(*pid) && hides_its_directory(*pid)))
}

/// Whether the process in `postmaster.pid` exists but is no running PostgreSQL. Usually the number was given to somebody
/// else after a restart of the machine or the container; PostgreSQL itself would refuse to start.
pub(super) fn pid_file_names_a_stranger(data: &Path) -> bool {
    named_in_pid_file(data)
        .is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists() && !is_postgres(pid))
}

fn named_in_pid_file(data: &Path) -> Option<u32> {
    fs::read_to_string(data.join("postmaster.pid")).ok()?.lines().next()?.trim().parse().ok()
}

/// Whether a process is called postgres and is more than a zombie that its new parent has not buried yet.
fn is_postgres(pid: u32) -> bool {
    // proc_pid_stat(5): the number, the name in parentheses, the state.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let name_and_state = stat.split_once('(').and_then(|(_, rest)| rest.rsplit_once(')'));
    name_and_state.is_some_and(|(name, state)| name == "postgres" && !state.starts_with(" Z"))
}

/// Containers without CAP_SYS_PTRACE do not let root see the working directory of other accounts' processes.
fn hides_its_directory(pid: u32) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd"))
        .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// A process that is called postgres, works in `dir` and only sleeps.
    fn impostor(dir: &Path) -> Child {
        let program = dir.join("postgres");
        fs::copy("/bin/sleep", &program).unwrap();
        Command::new(program).arg("600").current_dir(dir).spawn().unwrap()
    }

    #[test]
    fn process_in_the_directory_is_a_server_until_it_has_ended_even_unburied() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = impostor(dir.path());
        fs::write(dir.path().join("postmaster.pid"), format!("{}\n", child.id())).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let (found, not_found) = (server_in(dir.path()), server_in(elsewhere.path()));
        let while_alive = pid_file_names_a_stranger(dir.path());
        child.kill().unwrap();
        wait_for_end(child.id());
        let (zombie, after_end) = (server_in(dir.path()), pid_file_names_a_stranger(dir.path()));
        let buried = child.wait();
        assert_eq!((found, not_found, while_alive), (Some(child.id()), None, false));
        assert_eq!((zombie, after_end), (None, true), "the number still belongs to the dead process");
        buried.unwrap();
        assert!(!pid_file_names_a_stranger(dir.path()), "nobody has the number");
    }
}
