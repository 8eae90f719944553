package openapi_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"banyan.dev/banyan/api/openapi"
	"banyan.dev/banyan/api/rest"
	"banyan.dev/banyan/strangler"
)

// A browser shows the operations, calls one, and asks nobody else. It needs Chromium.
func TestThePageInABrowser(t *testing.T) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
			break
		}
	}
	if program == "" {
		t.Skip("no Chromium here")
	}
	c := contracts(t)["shop"]
	docs, err := openapi.New(c, full(c))
	if err != nil {
		t.Fatal(err)
	}
	sent := make(chan http.Header, 10)
	called := make(chan *strangler.Call, 10)
	api, err := rest.New(c, watched{replying{&random{rand.New(rand.NewPCG(1, 2)), c.Types}}, called}, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if docs.Serves(r.URL.Path) {
			docs.ServeHTTP(w, r)
			return
		}
		sent <- r.Header
		api.ServeHTTP(w, r)
	}))
	defer server.Close()

	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox) //nolint:gocritic // the defaults stay
	ctx, closeAll := chromedp.NewExecAllocator(t.Context(), options...)
	defer closeAll()
	ctx, closeTab := chromedp.NewContext(ctx)
	defer closeTab()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()

	var mu sync.Mutex
	var asked, complaints []string
	err = chromedp.Listen(ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch event := event.(type) {
		case *network.EventRequestWillBeSent:
			asked = append(asked, event.Request.URL)
		case *log.EventEntryAdded: // a breach of the policy is among them
			complaints = append(complaints, event.Entry.Text+" "+event.Entry.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	told := func(err error) {
		t.Helper()
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			t.Fatalf("%v; the page asked for %v, and the browser complains of %v", err, asked, complaints)
		}
	}
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	told(err)
	const cancelOrder = `#operations-OrderService-OrderService_CancelOrder`
	told(chromedp.Do(ctx, chromedp.Navigate(server.URL+"/docs"), chromedp.WaitVisible(cancelOrder)))
	title, err := chromedp.Run(ctx, chromedp.Text(`.info .title`))
	told(err)
	shown, err := chromedp.Run(ctx, chromedp.TextContent(`#api`))
	told(err)
	// The dialog keeps a token, which calls bring from then on.
	told(chromedp.Do(ctx,
		chromedp.Click(`.auth-wrapper .authorize`),
		chromedp.SendKeys(`#auth-bearer-value`, "the.reader.s"),
		chromedp.Click(`.auth-container .auth-btn-wrapper .authorize`),
		chromedp.Click(`.auth-container .auth-btn-wrapper .btn-done`),
	))
	told(chromedp.Do(ctx,
		chromedp.Click(cancelOrder+` .opblock-summary-control`),
		chromedp.Click(cancelOrder+` .try-out__btn`),
		chromedp.SendKeys(cancelOrder+` input[placeholder="id"]`, "7"),
		chromedp.SendKeys(cancelOrder+` input[placeholder="Idempotency-Key"]`, "4f1b0e86"),
		chromedp.Click(cancelOrder+` .execute`),
	))
	answered, err := chromedp.Run(ctx, chromedp.TextContent(cancelOrder+` .live-responses-table tbody .response-col_status`))
	told(err)
	if !strings.Contains(title, "shop.v2") {
		t.Errorf("the title is %q", title)
	}
	for _, op := range c.Operations() {
		if op.Descriptor.ParentFile().Package() != "shop.v2" {
			continue // an older one, which the page has a choice for
		}
		for _, rule := range op.Rules {
			if path, _, variable := strings.Cut(rule.Template, "{"); !variable && !strings.Contains(strings.ReplaceAll(shown, "\u200b", ""), path) {
				t.Errorf("%s is not shown", path)
			}
		}
	}
	if !strings.HasPrefix(answered, "200") {
		t.Errorf("the call that was tried answers %q", answered)
	}
	select {
	case call := <-called:
		msg, err := call.Request.Message()
		if err != nil {
			t.Fatal(err)
		}
		if id := msg.Get(msg.Descriptor().Fields().ByName("id")).Int(); call.Operation.Descriptor.Name() != "CancelOrder" || id != 7 {
			t.Errorf("%s was called, with the id %d", call.Operation.Name, id)
		}
	default:
		t.Error("no call has come")
	}
	if head := <-sent; head.Get("Authorization") != "Bearer the.reader.s" || head.Get("Idempotency-Key") != "4f1b0e86" {
		t.Errorf("the call has the headers %v", head)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, url := range asked {
		if !strings.HasPrefix(url, server.URL+"/") && !strings.HasPrefix(url, "data:") {
			t.Errorf("the page asked %s", url)
		}
	}
	if len(asked) < 6 {
		t.Errorf("only %v was asked for", asked)
	}
	for _, text := range complaints {
		t.Errorf("the browser complains: %s", text)
	}
}

// watched tells of each call.
type watched struct {
	strangler.Backend
	called chan<- *strangler.Call
}

func (b watched) Call(ctx context.Context, call *strangler.Call, send func(*strangler.Reply) error) error {
	b.called <- call
	return b.Backend.Call(ctx, call, send)
}
