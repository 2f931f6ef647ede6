package freeze

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

const serve = "serve large-post-deadlock --speed 24 --port 0 --ready-file - --control 0"

// What the ready line says, as far as it is needed here.
type lab struct {
	TargetURL  string `json:"target_url"`
	CAFile     string `json:"ca_file"`
	Identities map[string]struct {
		CertFile string `json:"cert_file"`
		KeyFile  string `json:"key_file"`
	}
	Control struct{ URL, Token string }
}

type connection struct {
	Certificate  string
	Deadlocked   bool
	Renegotiated bool
	Why          string
}

func start(t *testing.T) (ready lab) {
	process := exec.Command("tlslab", strings.Fields(serve)...)
	process.Stderr = os.Stderr
	output, _ := process.StdoutPipe()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.Process.Signal(syscall.SIGTERM)
		if err := process.Wait(); err != nil {
			t.Error("the lab did not end well:", err)
		}
	})
	line, _ := bufio.NewReader(output).ReadBytes('\n')
	if err := json.Unmarshal(line, &ready); err != nil {
		t.Fatal("the lab did not get ready: ", err)
	}
	return ready
}

// The client under test: put your own here.
func (ready lab) upload() (int, error) {
	authority, _ := os.ReadFile(ready.CAFile)
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	alice := ready.Identities["alice"]
	pair, err := tls.LoadX509KeyPair(alice.CertFile, alice.KeyFile)
	if err != nil {
		return 0, err
	}
	config := &tls.Config{
		RootCAs:       trusted,
		Certificates:  []tls.Certificate{pair},
		Renegotiation: tls.RenegotiateOnceAsClient, // without it, Go refuses before anything freezes
	}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
	answer, err := client.Post(ready.TargetURL, "application/octet-stream", bytes.NewReader(make([]byte, 1<<20)))
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	return answer.StatusCode, nil
}

func (ready lab) control(t *testing.T, method, path, body string, result any) {
	request, _ := http.NewRequest(method, ready.Control.URL+path, strings.NewReader(body))
	request.Header.Set("Authorization", "Bearer "+ready.Control.Token)
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK || json.Unmarshal(text, result) != nil {
		t.Fatal(answer.Status, string(text))
	}
}

func TestALargeUploadFreezesUntilTheBindingAsksForTheCertificate(t *testing.T) {
	ready := start(t)

	status, err := ready.upload()
	if err == nil {
		t.Fatal("it did not freeze: ", status)
	}
	var seen []connection
	ready.control(t, "GET", "/labs/large-post-deadlock/connections", "", &seen)
	if !seen[0].Deadlocked || seen[0].Why != "TimerExpired: ssl_renegotiation" {
		t.Fatalf("it failed for another reason: %v, %+v", err, seen[0])
	}

	var changed struct {
		From int `json:"from_connection"`
	}
	ready.control(t, "PATCH", "/labs/large-post-deadlock", `{"fixes": ["negotiate-on-binding"]}`, &changed)
	if status, err := ready.upload(); status != 200 {
		t.Fatal("the fix did not cure it: ", status, err)
	}
	ready.control(t, "GET", "/labs/large-post-deadlock/connections", "", &seen)
	if last := seen[len(seen)-1]; last.Certificate != "CN=alice" || last.Renegotiated {
		t.Fatalf("not as the fix does it: %+v", last)
	}
}
