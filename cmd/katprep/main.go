// Command katprep takes Linux landscapes through patch days and leaves
// evidence: inventories before and after in a Git archive, and a report and a
// site computed from it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, os.Environ()))
}

// streams are the three standard files.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// exited is how kong leaves after --help: as a panic that run catches.
type exited int

// run is the whole program: it parses the command line, runs the command and
// returns the exit code. It touches nothing global, so tests can call it.
func run(ctx context.Context, args []string, s streams, environ []string) int {
	return runWith(ctx, args, s, environ, nil)
}

// runWith is run at a demo's pace, if there is one.
func runWith(ctx context.Context, args []string, s streams, environ []string, pace *demoPace) (code int) {
	env := parseEnv(environ)
	tm := term.New(term.Options{Out: s.out, Err: s.err, NoColor: env["NO_COLOR"] != ""})
	defer func() {
		switch p := recover().(type) {
		case nil:
		case exited:
			code = int(p)
		default:
			tm.Error(fmt.Errorf("internal error: %v", p), "this is a fault of katprep; the archive is not touched by it. Set KATPREP_DEBUG=1 for the stack and report it")
			if env["KATPREP_DEBUG"] != "" {
				fmt.Fprintf(s.err, "%s\n", debug.Stack())
			}
			code = exitError
		}
	}()

	var cli cli
	parser, err := kong.New(&cli,
		kong.Name("katprep"),
		kong.Description(description),
		kong.Writers(s.out, s.err),
		kong.Exit(func(c int) {
			if len(args) == 0 {
				c = exitUsage // help that nobody asked for
			}
			panic(exited(c))
		}),
		kong.ExplicitGroups(groups),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Resolvers(envResolver(env)),
		kong.Vars{"formats": formatNames()},
	)
	if err != nil {
		panic(err) // the grammar itself is wrong: found by any test
	}
	if len(args) == 0 {
		parser.Stdout = s.err
	}
	words := usualWords(args)
	parsed, err := parser.Parse(words)
	if err != nil {
		return usageError(err, args, s, env, tm)
	}
	tm = term.New(term.Options{
		Out: s.out, Err: s.err, Color: cli.Color, NoColor: env["NO_COLOR"] != "",
		Quiet: cli.Quiet, JSON: cli.Output == "json",
	})
	a := newApp(ctx, &cli, tm, s, env)
	a.pace = pace
	defer a.close()
	return a.finish(parsed.Run(a))
}

// usualWords takes words that people try first for what is meant: "help",
// "help COMMAND", "--version"; without any, they get the help.
func usualWords(args []string) []string {
	switch {
	case len(args) == 0:
		return []string{"--help"}
	case args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case args[0] == "--version":
		return append([]string{"version"}, args[1:]...)
	}
	return args
}

// usageError tells what is wrong with the command line, in JSON too if that is
// wanted: the flags were not read, so it is looked for in the words.
func usageError(err error, args []string, s streams, env map[string]string, tm *term.Terminal) int {
	said, hint := err, usageHint(err)
	if pe, ok := err.(*kong.ParseError); ok && pe.Context != nil && wantsCommand(pe.Context) {
		if word, ok := strings.CutPrefix(err.Error(), "unexpected argument "); ok {
			said = fmt.Errorf("there is no command %s", word)
		}
	}
	if wantsJSON(args, env) {
		a := newApp(context.Background(), &cli{}, term.New(term.Options{Out: s.out, Err: s.err, JSON: true}), s, env)
		_ = a.emit("error", map[string]any{"message": term.Clean(said.Error()), "hint": hint, "code": exitUsage}) // a broken pipe changes nothing
	}
	tm.Error(said, hint)
	return exitUsage
}

// wantsCommand reports whether the next word was to be a command: no argument
// came after the last one, and it has commands of its own.
func wantsCommand(c *kong.Context) bool {
	for _, p := range slices.Backward(c.Path) {
		if p.Flag != nil {
			continue
		}
		n := p.Node() // nil for an argument
		return n != nil && slices.ContainsFunc(n.Children, func(k *kong.Node) bool { return k.Type == kong.CommandNode })
	}
	return false
}

func wantsJSON(args []string, env map[string]string) bool {
	for i, a := range args {
		if a == "--" {
			break
		}
		if a == "--output=json" || a == "--output" && i+1 < len(args) && args[i+1] == "json" {
			return true
		}
	}
	return env["KATPREP_OUTPUT"] == "json"
}

// usageHint names the help of the command that was understood.
func usageHint(err error) string {
	words := []string{"katprep"}
	if pe, ok := err.(*kong.ParseError); ok && pe.Context != nil {
		for _, p := range pe.Context.Path {
			if p.Command != nil {
				words = append(words, p.Command.Name)
			}
		}
	}
	return strings.Join(words, " ") + " --help"
}

func parseEnv(environ []string) map[string]string {
	env := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			env[k] = v
		}
	}
	return env
}

// envResolver lets KATPREP_<FLAG> stand for a flag that is not given.
func envResolver(env map[string]string) kong.Resolver {
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, f *kong.Flag) (any, error) {
		if !f.Target.IsValid() || f.Name == "help" {
			return nil, nil
		}
		if v, ok := env["KATPREP_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))]; ok && v != "" {
			return v, nil
		}
		return nil, nil
	})
}

// Exit codes; see docs/cli.md.
const (
	exitError       = 1
	exitUsage       = 2
	exitPartial     = 3
	exitNoArchive   = 10
	exitLocked      = 11
	exitUnlock      = 12
	exitInterrupted = 130
)

// exitCode says how a command ended.
func exitCode(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return 0
	case ctx.Err() != nil:
		return exitInterrupted
	}
	switch katprep.KindOf(err) {
	case katprep.Invalid:
		return exitUsage
	case katprep.Partial:
		return exitPartial
	case katprep.NoArchive:
		return exitNoArchive
	case katprep.Locked:
		return exitLocked
	case katprep.Unlock:
		return exitUnlock
	}
	return exitError
}
