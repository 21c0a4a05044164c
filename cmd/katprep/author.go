package main

import (
	"os"
	"os/user"
	"strings"

	"github.com/stdevel/katprep/internal/archive"
)

// author is the person who acts: --as, the CI system's user, Git's variables,
// or the user of the operating system, in that order.
func (a *app) author() archive.Person {
	if a.cli.As != "" {
		name, rest, _ := strings.Cut(a.cli.As, "<")
		mail, _, _ := strings.Cut(rest, ">")
		return a.person(strings.TrimSpace(name), mail)
	}
	for _, v := range [][2]string{
		{"GITLAB_USER_NAME", "GITLAB_USER_EMAIL"},
		{"GITHUB_ACTOR", ""}, {"FORGEJO_ACTOR", ""}, {"GITEA_ACTOR", ""},
		{"BUILD_USER", "BUILD_USER_EMAIL"},                // Jenkins
		{"BUILD_REQUESTEDFOR", "BUILD_REQUESTEDFOREMAIL"}, // Azure Pipelines
		{"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL"},
	} {
		if name := a.env[v[0]]; name != "" {
			return a.person(name, a.env[v[1]])
		}
	}
	return a.systemUser()
}

// systemUser is the user of the operating system; behind sudo, who called it.
func (a *app) systemUser() archive.Person {
	if name := a.env["SUDO_USER"]; name != "" {
		return a.person(name, "")
	}
	if u, err := user.Current(); err == nil {
		name := u.Name
		if name == "" {
			name = u.Username
		}
		return a.person(name, u.Username+"@"+hostname())
	}
	return a.person("unknown", "")
}

// writer is the program, with the system's user if another person is named
// as who acts: nobody can act in another's name without a trace.
func (a *app) writer() archive.Person {
	name := "katprep " + version()
	if a.cli.As != "" {
		name += " run by " + a.systemUser().Name
	}
	return archive.Person{Name: name, Email: "katprep@localhost"}
}

func (a *app) person(name, mail string) archive.Person {
	if mail == "" {
		mail = strings.ReplaceAll(name, " ", ".") + "@" + hostname()
	}
	return archive.Person{Name: name, Email: mail}
}

func hostname() string {
	h, err := os.Hostname()
	if err != nil || h == "" {
		return "localhost"
	}
	return h
}
