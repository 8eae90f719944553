package rabbitmq_test

import (
	"strings"
	"testing"

	"banyan.dev/banyan/adapters/rabbitmq"
)

func TestAnUnreadableURLShowsNoPassword(t *testing.T) {
	for _, url := range []string{
		"amqp://u:zz/qq@host", "amqp://u:zz#qq@host", "amqp://u:zz?qq@host", "amqp://u:9999/qq@host", "amqp://u:zz%qq@host", "amqp://u:zz\x7fqq@host",
		"amqp://u:zz qq@host", "amqp://u:zz[qq@host", "http://u:zzqq@host", "u:zzqq@host", "amqp://u:zzqq@host:port", "amqp://u:zzqq@host:1?heartbeat=qq",
	} {
		_, err := rabbitmq.NewSink(rabbitmq.Options{Connection: rabbitmq.Connection{URL: url}, Exchange: "e"})
		if err == nil {
			t.Errorf("%s is taken", url)
			continue
		}
		for _, secret := range []string{"zz", "qq", "9999"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error shows the password: %v", url, err)
			}
		}
	}
	for _, url := range []string{"amqp://u:p%2Fq@host/v%40w", "amqp://u@host/v@w", "amqp://host", "amqps://[::1]:5671/"} {
		if _, err := rabbitmq.NewSink(rabbitmq.Options{Connection: rabbitmq.Connection{URL: url}, Exchange: "e"}); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}
