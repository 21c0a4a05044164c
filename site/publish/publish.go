// Package publish brings a built site to where it is read.
package publish

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stdevel/katprep"
)

// Command calls a program with the site's folder as its last argument. The
// program is called as it is, by no shell; what it says is part of the error.
func Command(ctx context.Context, dir string, args []string) error {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return katprep.Errorf(katprep.Invalid, "publish: no command is given").WithHint("katprep site publish --run -- COMMAND ARGUMENTS")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return katprep.Errorf(katprep.Invalid, "publish: %w", err)
	}
	cmd := exec.CommandContext(ctx, args[0], append(args[1:len(args):len(args)], abs)...)
	_, err = run(cmd, args[0])
	return err
}

// Git makes the folder the content of a branch of a repository and pushes it,
// with one commit on top of the branch. The push is one step for who reads:
// the branch shows the old site or the new one. Files of katprep's own that
// begin with a dot stay at home. Nothing changed means no commit.
func Git(ctx context.Context, dir, repository, branch, message string) (katprep.CommitID, error) {
	if strings.HasPrefix(repository, "-") || strings.HasPrefix(branch, "-") || branch == "" {
		return "", katprep.Errorf(katprep.Invalid, "publish: repository %q or branch %q cannot be meant", repository, branch)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", katprep.Errorf(katprep.Invalid, "publish: %w", err)
	}
	if _, err := os.Stat(repository); err == nil { // a path, seen from here
		if repository, err = filepath.Abs(repository); err != nil {
			return "", katprep.Errorf(katprep.Invalid, "publish: %w", err)
		}
	}
	tmp, err := os.MkdirTemp("", "katprep-publish-")
	if err != nil {
		return "", katprep.Errorf(katprep.Invalid, "publish: %w", err)
	}
	defer os.RemoveAll(tmp)
	g := &git{ctx: ctx, dir: tmp, tree: abs}
	if _, err := g.do("init", "--quiet", "--bare", "."); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(tmp, "info", "exclude"), []byte("/.katprep*\n"), 0o600); err != nil {
		return "", katprep.Errorf(katprep.Invalid, "publish: %w", err)
	}
	parent, err := g.fetch(repository, branch)
	if err != nil {
		return "", err
	}
	commit, err := g.commit(parent, message)
	if err != nil || commit == parent {
		return katprep.CommitID(parent), err
	}
	// Without force: who pushed in between is not overwritten.
	if _, err := g.do("push", "--quiet", "--", repository, commit+":refs/heads/"+branch); err != nil {
		return "", err
	}
	return katprep.CommitID(commit), nil
}

// A git runs Git with a repository of its own and the site as work tree.
type git struct {
	ctx  context.Context
	dir  string
	tree string
}

func (g *git) do(args ...string) (string, error) {
	cmd := exec.CommandContext(g.ctx, "git", args...)
	cmd.Dir = g.dir
	cmd.Env = append(cmd.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_DIR="+g.dir)
	return run(cmd, "git "+args[0])
}

// fetch returns the branch's commit, or "" if there is no such branch.
func (g *git) fetch(repository, branch string) (string, error) {
	out, err := g.do("ls-remote", "--", repository, "refs/heads/"+branch)
	if err != nil {
		return "", err
	}
	commit, _, ok := strings.Cut(strings.TrimSpace(out), "\t")
	if !ok {
		return "", nil
	}
	_, err = g.do("fetch", "--quiet", "--depth=1", "--", repository, "refs/heads/"+branch)
	return commit, err
}

func (g *git) commit(parent, message string) (string, error) {
	if _, err := g.do("--work-tree="+g.tree, "add", "--all", "--", g.tree); err != nil {
		return "", err
	}
	tree, err := g.do("write-tree")
	if err != nil {
		return "", err
	}
	args := []string{"-c", "user.name=katprep", "-c", "user.email=katprep@localhost", "commit-tree", "-m", message}
	if parent != "" {
		old, err := g.do("rev-parse", parent+"^{tree}")
		if err != nil {
			return "", err
		}
		if strings.TrimSpace(old) == strings.TrimSpace(tree) {
			return parent, nil
		}
		args = append(args, "-p", parent)
	}
	out, err := g.do(append(args, strings.TrimSpace(tree))...)
	return strings.TrimSpace(out), err
}

// run runs a program and puts what it said into the error.
func run(cmd *exec.Cmd, name string) (string, error) {
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.WaitDelay = 5 * time.Second
	err := cmd.Run()
	if err == nil {
		return out.String(), nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return "", katprep.Errorf(katprep.NotFound, "publish: %w", err)
	}
	msg := strings.TrimSpace(said.String())
	if len(msg) > 2000 {
		msg = msg[:2000] + " …"
	}
	return "", katprep.Errorf(katprep.Unreachable, "publish: %s: %w: %s", name, err, msg)
}
