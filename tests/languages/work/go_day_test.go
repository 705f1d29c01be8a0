// An ordinary day with Go: every piece is what real projects do, and behaves inside as it does outside.
package day

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestTenThousandGoroutines(t *testing.T) {
	var all sync.WaitGroup
	var sum atomic.Int64
	for i := 0; i < 10_000; i++ {
		all.Add(1)
		go func() { defer all.Done(); time.Sleep(time.Millisecond); sum.Add(1) }()
	}
	all.Wait()
	if sum.Load() != 10_000 {
		t.Fatal(sum.Load())
	}
}

func TestServesOverBothFamilies(t *testing.T) {
	for _, host := range []string{"127.0.0.1:0", "[::1]:0", "localhost:0"} {
		listener, err := net.Listen("tcp", host)
		if err != nil {
			t.Fatal(host, err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "served") })}
		go server.Serve(listener)
		answer, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(answer.Body); string(body) != "served" {
			t.Fatal(string(body))
		}
		server.Close()
	}
	httptest.NewTLSServer(http.NotFoundHandler()).Close()
}

func TestInterfacesCanBeAskedFor(t *testing.T) {
	found, err := net.Interfaces()
	if err != nil || len(found) == 0 {
		t.Fatal(found, err)
	}
}

func TestChildrenRunAndAreSignalled(t *testing.T) {
	out, err := exec.Command("sh", "-c", "echo $((6 * 7))").Output()
	if err != nil || string(out) != "42\n" {
		t.Fatal(string(out), err)
	}
	sleeper := exec.Command("sleep", "60")
	if err := sleeper.Start(); err != nil {
		t.Fatal(err)
	}
	sleeper.Process.Signal(syscall.SIGTERM)
	if err := sleeper.Wait(); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Fatal(err)
	}
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	<-heard
}

func TestALockKeepsOthersOut(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	one, _ := os.Create(name)
	other, _ := os.Open(name)
	if err := syscall.Flock(int(one.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EWOULDBLOCK {
		t.Fatal(err)
	}
}

func TestFiftyMegabytesGoThroughAPipe(t *testing.T) {
	cat := exec.Command("cat")
	cat.Stdin = bytes.NewReader(make([]byte, 50<<20))
	out, err := cat.Output()
	if err != nil || len(out) != 50<<20 {
		t.Fatal(len(out), err)
	}
}

func TestATerminalIsOne(t *testing.T) {
	out, err := exec.Command("script", "-qec", "test -t 0 && test -t 1 && echo terminal", "/dev/null").Output()
	if err != nil || !strings.Contains(string(out), "terminal") {
		t.Fatal(string(out), err)
	}
}

func TestNamesAreUnicode(t *testing.T) {
	name := filepath.Join(t.TempDir(), "näme-日本-🦊")
	if err := os.WriteFile(name, []byte("ok"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, _ := filepath.Glob(filepath.Join(filepath.Dir(name), "*日本*"))
	if len(found) != 1 || found[0] != name {
		t.Fatal(found)
	}
}

func FuzzReverse(f *testing.F) {
	f.Add("seed")
	f.Fuzz(func(t *testing.T, text string) {
		if len(strings.Repeat(text, 2)) != 2*len(text) {
			t.Fatal(text)
		}
	})
}
