package auth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

// mostKeys bounds the text of a JWK Set, in bytes.
const mostKeys = 1 << 20

// FileSource gives the text of a file.
func FileSource(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close() //nolint:errcheck // it was only read
		return readKeys(f)
	}
}

// CheckKeys says what is wrong with the text of a JWK Set; remarks are about keys that aren't used, or shouldn't be there.
func CheckKeys(text []byte) (remarks []string, err error) {
	_, remarks, err = parseKeys(text)
	return remarks, err
}

// mostRedirects bounds how often keys are somewhere else.
const mostRedirects = 3

// URLSource gives what is at an http or https URL. roots are who may vouch for the server; nil: whom the system trusts. Free
// frees idle connections.
func URLSource(at string, roots *x509.CertPool) (get func(context.Context) ([]byte, error), free func()) {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		ForceAttemptHTTP2:      true,
		MaxResponseHeaderBytes: 64 << 10,
		DisableKeepAlives:      true, // it is asked every few minutes
	}
	client := &http.Client{
		Transport: transport,
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case len(via) > mostRedirects:
				return fmt.Errorf("it is redirected more than %d times", mostRedirects)
			case via[0].URL.Scheme == "https" && r.URL.Scheme != "https":
				return errors.New("it is redirected from https to " + r.URL.Scheme)
			}
			return nil
		},
	}
	get = func(ctx context.Context) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
		if err != nil {
			return nil, plainly(err)
		}
		request.Header.Set("Accept", "application/jwk-set+json, application/json")
		answer, err := client.Do(request)
		if err != nil {
			return nil, plainly(err)
		}
		defer answer.Body.Close() //nolint:errcheck // it was only read
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("the server answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
		}
		return readKeys(answer.Body)
	}
	return get, transport.CloseIdleConnections
}

// plainly leaves the URL out of an error: its query may be secret.
func plainly(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func readKeys(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, mostKeys+1))
	if err != nil {
		return nil, err
	}
	if len(text) > mostKeys {
		return nil, fmt.Errorf("it has more than %d bytes", mostKeys)
	}
	return text, nil
}
