// Go's net/http: as it is by default, or told to renegotiate once. What to ask comes as JSON on standard input.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

type ask struct {
	Method, URL, Cert, Key string
	Body                   int
	SameConnection         bool `json:"same_connection"`
	Expect100              bool `json:"expect_100"`
	Chunked                bool
	Headers                map[string]string
}

type job struct {
	CA   string
	Asks []ask
}

type said struct {
	Status int    `json:"status"`
	Text   string `json:"text"`
	Error  string `json:"error"`
}

func client(ca string, one ask) *http.Client {
	trusted, _ := os.ReadFile(ca)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted)
	config := &tls.Config{RootCAs: pool}
	if os.Args[1] == "once" {
		config.Renegotiation = tls.RenegotiateOnceAsClient
	}
	if one.Cert != "" {
		if pair, err := tls.LoadX509KeyPair(one.Cert, one.Key); err == nil {
			config.Certificates = []tls.Certificate{pair}
		}
	}
	transport := &http.Transport{TLSClientConfig: config, ExpectContinueTimeout: time.Second}
	return &http.Client{Transport: transport, Timeout: 100 * time.Second}
}

func send(from *http.Client, one ask) said {
	var body io.Reader
	if one.Body > 0 {
		body = bytes.NewReader(make([]byte, one.Body))
		if one.Chunked {
			body = io.MultiReader(body) // whose length nobody knows
		}
	}
	request, err := http.NewRequest(one.Method, one.URL, body)
	if err != nil {
		return said{Error: err.Error()}
	}
	for name, value := range one.Headers {
		request.Header.Set(name, value)
		if name == "Host" {
			request.Host = value
		}
	}
	if one.Expect100 {
		request.Header.Set("Expect", "100-continue")
	}
	answer, err := from.Do(request)
	if err != nil {
		return said{Error: err.Error()}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return said{Error: err.Error()}
	}
	return said{Status: answer.StatusCode, Text: string(text)}
}

func main() {
	var wanted job
	if err := json.NewDecoder(os.Stdin).Decode(&wanted); err != nil {
		panic(err)
	}
	var from *http.Client
	for _, one := range wanted.Asks {
		if from == nil || !one.SameConnection {
			from = client(wanted.CA, one)
		}
		line, _ := json.Marshal(send(from, one))
		fmt.Println(string(line))
	}
}
