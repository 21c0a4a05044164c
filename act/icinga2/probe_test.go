package icinga2

import ("testing";"os";"time";"fmt";"github.com/stdevel/katprep/internal/monlab")
var lab monlab.Lab
func TestMain(m *testing.M){ os.Exit(monlab.Main(m,&lab)) }
func TestProbe(t *testing.T){
 b:=time.Now()
 s:=lab.Icinga2(t)
 fmt.Println("up", time.Since(b))
 for _,p:=range []string{"/v1","/v1/status/CIB","/v1/status/IcingaApplication"} { fmt.Println(p, s.Call(t,p,nil)) }
 b=time.Now()
 s.AddHosts(t,"bulk",1000,10)
 fmt.Println("1000", time.Since(b))
 os.Setenv("X","1")
 fmt.Println(s.URL)
 time.Sleep(2*time.Second)
}
