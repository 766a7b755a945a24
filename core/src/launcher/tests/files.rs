//! What is seen of the files, and what can be done with it.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::harness::{MEANS_HERE, confinement, escapes, python, run, shell};
use crate::launcher::Access;

/// A folder with files and folders of these names; what ends with `/` is a folder.
fn folder(names: &[&str]) -> (TempDir, impl Fn(&str) -> PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    for name in names {
        let path = base.join(name);
        fs::create_dir_all(if name.ends_with('/') { &path } else { path.parent().unwrap() }).unwrap();
        if !name.ends_with('/') {
            fs::write(path, "text\n").unwrap();
        }
    }
    (folder, move |name| base.join(name))
}

#[test]
fn nothing_is_there_but_what_was_given() {
    let (_folder, path) = folder(&["secret", "given/"]);
    let confinement = confinement(&[(&path("given"), Access::Write)]);
    let base = path("");
    let base = base.display();
    let commands = format!(
        "cat {base}/secret\nls {base} | grep secret\nls /home\nls /root\ncat /etc/shadow\nls /var/log"
    );
    assert_eq!(escapes(&confinement, &commands), "");
    assert!(shell(&confinement, &format!("echo new > {base}/given/file")).status.success());
    assert_eq!(fs::read_to_string(path("given/file")).unwrap(), "new\n");
}

#[test]
fn what_may_be_read_stays_as_it_is() {
    let (_folder, path) = folder(&["a", "b/c"]);
    let before = fs::metadata(path("a")).unwrap();
    let confinement = confinement(&[(&path(""), Access::Read)]);
    let commands = "echo x > a\necho x >> a\ntruncate -s 1 a\nrm a\nmv a d\nmv a b/a\nln a d\nln -s a d\nmkdir d\n\
                    rmdir b\nchmod 777 a\nchmod 777 .\ntouch a\ntouch -d @0 a\nmkfifo d\nmknod d c 1 3\n\
                    chown 1:1 a\nsetfattr -n user.a -v b a\ntouch /usr/x\nrm -f /bin/true";
    let commands = commands.replace('\n', &format!("\ncd {} && ", path("").display()));
    let commands = format!("cd {} && {commands}", path("").display());
    assert_eq!(escapes(&confinement, &commands), "");
    let after = fs::metadata(path("a")).unwrap();
    assert_eq!(
        (before.modified().unwrap(), before.permissions()),
        (after.modified().unwrap(), after.permissions())
    );
    assert_eq!(shell(&confinement, &format!("cat {}", path("b/c").display())).output, "text\n");
}

#[test]
fn the_root_is_what_is_kept_in_it() {
    let confinement = confinement(&[("/".as_ref(), Access::Read), ("/etc".as_ref(), Access::Hidden)]);
    let commands =
        "cat /etc/passwd\ncat /etc/hostname\ntouch /var/x\nls /run/\nls /sys/kernel\necho x > /proc/sys/kernel/printk";
    assert_eq!(escapes(&confinement, commands), "");
    assert!(shell(&confinement, "ls /var/ && echo x > /dev/null").output.contains("lib"));
}

#[test]
fn what_may_be_written_can_be_rearranged() {
    let (_folder, path) = folder(&["a/file", "b/"]);
    let confinement = confinement(&[(&path(""), Access::Write)]);
    let script = format!(
        "cd {} && mkdir c && mv a/file b/moved && ln b/moved c/link && rm -r a && ln -s c d",
        path("").display()
    );
    let code = format!("import os; os.chdir('{}'); os.rename('b/moved', 'c/renamed')", path("").display());
    let ran = shell(&confinement, &script);
    assert!(ran.status.success(), "{}", ran.errors);
    python(&confinement, &code);
    assert!(path("c/renamed").exists() && path("c/link").exists() && !path("a").exists());
}

#[test]
fn what_is_hidden_is_hidden_whatever_is_given_around_it() {
    let (_folder, path) = folder(&["open", "own/secret/key", "own/data/", "own/token", "other"]);
    let given = [
        (path(""), Access::Write),
        (path("own/secret"), Access::Hidden),
        (path("own/token"), Access::Hidden),
        (path("own/secret/deep"), Access::Write),
        (path("other"), Access::Read),
    ];
    fs::create_dir(path("own/secret/deep")).unwrap();
    let given: Vec<(&Path, Access)> = given.iter().map(|(path, access)| (&**path, *access)).collect();
    let confinement = confinement(&given);
    let base = path("");
    let base = base.display();
    let commands = format!(
        "cat {base}/own/secret/key\nls {base}/own/secret\ngrep text {base}/own/token\nmv {base}/own {base}/moved\n\
         mv {base}/own/secret {base}/moved\nrm {base}/own/token\ntouch {base}/own/secret/new\n\
         chmod 755 {base}/own/secret\nln {base}/own/token {base}/link\necho x > {base}/other"
    );
    assert_eq!(escapes(&confinement, &commands), "");
    let script =
        format!("echo x > {base}/own/secret/deep/file && echo x > {base}/own/data/file && cat {base}/open");
    let ran = shell(&confinement, &script);
    assert_eq!(ran.output, "text\n", "{}", ran.errors);
    assert_eq!(fs::read_to_string(path("own/token")).unwrap(), "text\n");
    assert!(path("own/secret/deep/file").exists());
}

#[test]
fn what_is_to_be_hidden_and_could_be_made_has_to_be_there() {
    let (_folder, path) = folder(&["config/"]);
    let hidden = path("config/astros");
    let confinement = confinement(&[(&path(""), Access::Write), (&hidden, Access::Hidden)]);
    let made = format!("mkdir {0} || mv {1} {1}-moved", hidden.display(), path("config").display());
    match run(&confinement, &["/bin/sh", "-c", &made]) {
        Ok(ran) => assert!(!MEANS_HERE.namespaces && !ran.status.success(), "{}", ran.status),
        Err(refused) => assert!(refused.contains("is not there to be hidden"), "{refused}"),
    }
    assert!(!hidden.exists() && path("config").exists());
}

#[test]
fn names_are_listed_and_nothing_behind_them() {
    let (_folder, path) = folder(&["home/.ssh/key", "home/.netrc", "home/Documents/letter"]);
    let home = path("home");
    let confinement = confinement(&[(&home, Access::List), (&home.join("Documents"), Access::Write)]);
    let home = home.display();
    let commands = format!(
        "cat {home}/.ssh/key\nls {home}/.ssh\ncat {home}/.netrc\ntouch {home}/new\nchmod 777 {home}/.ssh"
    );
    assert_eq!(escapes(&confinement, &commands), "");
    assert_eq!(shell(&confinement, &format!("cat {home}/Documents/letter")).output, "text\n");
    let listed = shell(&confinement, &format!("ls -A {home}")).output;
    assert_eq!(listed, if MEANS_HERE.namespaces { ".netrc\n.ssh\nDocuments\n" } else { "" });
}

#[test]
fn a_link_leads_to_nothing_that_was_not_given() {
    let (_folder, path) = folder(&["secret", "given/"]);
    symlink(path("secret"), path("given/link")).unwrap();
    symlink("/etc", path("given/etc")).unwrap();
    let confinement = confinement(&[(&path("given"), Access::Write)]);
    let given = path("given");
    let given = given.display();
    let commands = format!("cat {given}/link\ncat {given}/etc/passwd\nln {given}/../secret {given}/hard");
    assert_eq!(escapes(&confinement, &commands), "");
    shell(&confinement, &format!("echo x > {given}/link"));
    assert_eq!(fs::read_to_string(path("secret")).unwrap(), "text\n");
}

#[test]
fn temporary_files_are_its_own() {
    let outside = tempfile::NamedTempFile::new_in("/tmp").unwrap();
    let (_folder, path) = folder(&["scratch/"]);
    let mut confinement = confinement(&[]);
    confinement.scratch = path("scratch");
    let name = outside.path().display();
    let commands = format!("cat {name} | grep .\nls /tmp | grep {name}");
    assert_eq!(escapes(&confinement, &commands), "");
    shell(&confinement, &format!("echo x > {name}"));
    assert_eq!(fs::read(outside.path()).unwrap(), b"");
    let ran = shell(&confinement, "f=$(mktemp) && echo kept > $f && cat $f");
    assert_eq!(ran.output, "kept\n", "{}", ran.errors);
    if MEANS_HERE.namespaces {
        assert_eq!(
            shell(&confinement, "echo x > /var/tmp/a && echo x > /dev/shm/a && ls -A /tmp").output,
            ""
        );
        python(&confinement, "import multiprocessing as m\nwith m.Pool(2) as pool: pool.map(abs, [1, -1])");
    }
}

#[test]
fn devices_are_the_harmless_ones() {
    let listed = shell(
        &confinement(&[]),
        "cd /dev && ls; echo x > null && head -c 4 zero | wc -c && head -c 9 urandom | wc -c",
    );
    if MEANS_HERE.namespaces {
        let all = "fd\nfull\nnull\nrandom\nshm\nstderr\nstdin\nstdout\nurandom\nzero\n4\n9\n";
        assert_eq!(listed.output, all, "{}", listed.errors);
    } else {
        assert_eq!(listed.output, "4\n9\n", "{}", listed.errors);
    }
}

#[test]
fn proc_sets_nothing() {
    let commands = "echo 1 > /proc/sys/kernel/printk\necho b > /proc/sysrq-trigger\necho x > /proc/sys/kernel/core_pattern\n\
                    echo -1000 > /proc/self/oom_score_adj\nhead -c 1 /proc/kcore | grep .\nhead -c 1 /proc/kpageflags | grep .\n\
                    cat /sys/kernel/uevent_helper\nmount -t proc proc /proc";
    assert_eq!(escapes(&confinement(&[]), commands), "");
}
