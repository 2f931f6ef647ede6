// Takes requests one after another, each on a connection of its own, and prints how each ended: once as Go is by
// default, and once told to follow a renegotiation.
// Arguments: the authority to trust, and requests written NAME,METHOD,BYTES,IDENTITY,URL, the identity without .pem.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var status = regexp.MustCompile(`"status": "([0-9.]+)"`)

func client(authority string, identity string, mode tls.RenegotiationSupport, sessions tls.ClientSessionCache) *http.Client {
	trusted, _ := os.ReadFile(authority)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted)
	pair, err := tls.LoadX509KeyPair(identity+".pem", identity+"-key.pem")
	if err != nil {
		panic(err)
	}
	config := &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}, Renegotiation: mode, ClientSessionCache: sessions}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
}

func send(from *http.Client, agent string, method string, size int, url string) string {
	request, _ := http.NewRequest(method, url, bytes.NewReader(make([]byte, size)))
	request.Header.Set("User-Agent", agent)
	answer, err := from.Do(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(answer.Body)
	return string(status.FindSubmatch(text)[1])
}

func main() {
	modes := map[string]tls.RenegotiationSupport{"go": tls.RenegotiateNever, "go-once": tls.RenegotiateOnceAsClient}
	for agent, mode := range modes {
		sessions := tls.NewLRUClientSessionCache(32)
		for _, one := range os.Args[2:] {
			part := strings.Split(one, ",")
			size, _ := strconv.Atoi(part[2])
			outcome := send(client(os.Args[1], part[3], mode, sessions), agent, part[1], size, part[4])
			fmt.Printf("%s\t%s\t%s\n", agent, part[0], outcome)
		}
	}
}
