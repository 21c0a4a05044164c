package inventory

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stdevel/katprep"
	"github.com/stdevel/katprep/internal/sshx"
)

const iniText = `# comment
lonely ansible_host=10.0.0.9 # a comment
local ansible_connection=local

[web]
web[01:03].example.com ansible_user=deploy
old.example.com:2222 ansible_ssh_private_key_file='/keys/my key'

[db]
db-[a:b] ansible_become=no ansible_host=2001:db8::1

[prod:children]
web
db

[prod:vars]
ansible_user = katprep
ansible_ssh_common_args = '-o StrictHostKeyChecking=no -o ProxyJump=jump@bastion:22'

[web:vars]
ansible_become=true
`

const yamlText = `
all:
  hosts:
    lonely: {ansible_host: 10.0.0.9}
    local: {ansible_connection: local}
  children:
    prod:
      vars: {ansible_user: katprep, ansible_ssh_common_args: "-o StrictHostKeyChecking=no -o ProxyJump=jump@bastion:22"}
      children:
        web:
          hosts:
            web[01:03].example.com: {ansible_user: deploy}
            old.example.com: {ansible_port: 2222, ansible_ssh_private_key_file: /keys/my key}
          vars: {ansible_become: true}
        db:
          hosts:
            db-[a:b]: {ansible_become: false, ansible_host: "2001:db8::1"}
`

func wanted() []Host {
	yes, no := true, false
	jump := "jump@bastion:22"
	web := func(n string) Host {
		return Host{Host: sshx.Host{Name: n, User: "deploy", Jump: jump}, Group: "prod/web", Groups: []string{"prod", "web"}, Become: &yes}
	}
	db := func(n string) Host {
		return Host{Host: sshx.Host{Name: n, Address: "2001:db8::1", User: "katprep", Jump: jump}, Group: "prod/db", Groups: []string{"db", "prod"}, Become: &no}
	}
	return []Host{db("db-a"), db("db-b"), {Host: sshx.Host{Name: "lonely", Address: "10.0.0.9"}},
		{Host: sshx.Host{Name: "old.example.com", User: "katprep", Port: 2222, Identity: []string{"/keys/my key"}, Jump: jump}, Group: "prod/web", Groups: []string{"prod", "web"}, Become: &yes},
		web("web01.example.com"), web("web02.example.com"), web("web03.example.com")}
}

func TestBothForms(t *testing.T) {
	for file, text := range map[string]string{"hosts": iniText, "hosts.yml": yamlText} {
		got, err := Parse(file, []byte(text))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for i, w := range wanted() {
			if i >= len(got) || !reflect.DeepEqual(normal(got[i]), normal(w)) {
				t.Errorf("%s: host %d is %+v, want %+v", file, i, got[min(i, len(got)-1)], w)
			}
		}
		if len(got) != len(wanted()) {
			t.Errorf("%s: %d hosts", file, len(got))
		}
	}
}

func normal(h Host) Host {
	if len(h.Groups) == 0 {
		h.Groups = nil
	}
	return h
}

func TestRefused(t *testing.T) {
	for what, c := range map[string]struct{ file, text, says string }{
		"option":          {"hosts", "[web]\n-oProxyCommand=reboot\n", "line 2"},
		"option address":  {"hosts", "web ansible_host=-oProxyCommand=reboot\n", "begins with '-'"},
		"shell":           {"hosts", "web;reboot\n", "no host name"},
		"substitution":    {"hosts", "web ansible_host=$(reboot)\n", "no host name"},
		"user":            {"hosts", "web ansible_user='-l root'\n", "no user name"},
		"port":            {"hosts", "web ansible_port=99999\n", "no port"},
		"proxy command":   {"hosts", "web ansible_ssh_common_args='-o ProxyCommand=\"nc %h\"'\n", "ProxyCommand"},
		"proxy option":    {"hosts", "web ansible_ssh_common_args='-J -oX'\n", "jump host"},
		"template":        {"hosts", "web ansible_host='{{ x }}'\n", "template"},
		"quote":           {"hosts", "web a='b\n", "not closed"},
		"no variable":     {"hosts", "web alone\n", "no variable"},
		"bracket":         {"hosts", "web[1:3\n", "not closed"},
		"range":           {"hosts", "web[3:1]\n", "no range"},
		"huge":            {"hosts", "web[1:1000000000]\n", "no range"},
		"huge product":    {"hosts", "web[1:9999][1:9999]\n", "more than"},
		"cycle":           {"hosts", "[a:children]\nb\n[b:children]\na\n", "its own parent"},
		"yaml option":     {"h.yml", "all: {hosts: {-oProxyCommand=x: }}", "begins with '-'"},
		"yaml garbage":    {"h.yml", "[1, 2", "yaml"},
		"yaml list":       {"h.yml", "- a\n- b\n", "yaml"},
		"yaml empty":      {"h.yml", "", "no group"},
		"yaml empty name": {"h.yml", "{'': {hosts: {a: }}}", "no name"},
	} {
		_, err := Parse(c.file, []byte(c.text))
		if katprep.KindOf(err) != katprep.Invalid || err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := Read("/no/such/file"); katprep.KindOf(err) != katprep.Invalid {
		t.Errorf("missing file: %v", err)
	}
}

func TestFromNames(t *testing.T) {
	got, err := FromNames([]string{"b:22", "root@a", "b"})
	if err != nil || len(got) != 2 || got[0].User != "root" || got[1].Port != 22 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := FromNames([]string{"-oProxyCommand=x"}); err == nil {
		t.Error("an option was accepted")
	}
}

func TestSpan(t *testing.T) {
	for in, want := range map[string]string{"1:3": "1 2 3", "01:03": "01 02 03", "1:9:4": "1 5 9", "a:c": "a b c", ":2": "0 1 2", "08:11": "08 09 10 11"} {
		got, err := span(in)
		if err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("hosts", iniText)
	f.Add("hosts.yml", yamlText)
	f.Add("hosts", "[a:children]\n[\n[]\n[x\nweb[a:]")
	f.Fuzz(func(t *testing.T, file, text string) {
		hosts, err := Parse(file, []byte(text))
		if err != nil {
			return
		}
		for _, h := range hosts {
			if sshx.CheckName(h.Name) != nil || h.Address != "" && sshx.CheckName(h.Address) != nil || h.User != "" && sshx.CheckUser(h.User) != nil {
				t.Errorf("accepted %+v", h)
			}
		}
	})
}
