package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// facadeMachine says what the facade was measured on, a line each.
func facadeMachine(database string) []string {
	return machine("client, both sides and database", database,
		"google.golang.org/grpc", "github.com/grpc-ecosystem/grpc-gateway/v2", "github.com/go-sql-driver/mysql", "google.golang.org/protobuf")
}

// mirrorMachine says what the mirror was measured on, a line each.
func mirrorMachine(servers string) []string {
	return machine("writers, contenders, database and broker", servers, "github.com/go-mysql-org/go-mysql", "github.com/rabbitmq/amqp091-go")
}

// machine names the machine, all who are on it, and the versions of servers and modules.
func machine(all, servers string, modules ...string) []string {
	lines := []string{
		fmt.Sprintf("Machine: %d × %s, %s/%s%s. %s, %s on it.",
			runtime.NumCPU(), processor(), runtime.GOOS, runtime.GOARCH, busy(), runtime.Version(), all),
	}
	versions := []string{"Versions: " + servers}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, path := range modules {
			if i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == path }); i >= 0 {
				versions = append(versions, path+" "+info.Deps[i].Version)
			}
		}
	}
	return append(lines, strings.Join(versions, ", ")+".")
}

// processor gives the processor's name where the system tells it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "processor"
	}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor"
}

// busy tells how busy the machine was before the first measurement: others who use it make all figures worse.
func busy() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	minute, _, _ := strings.Cut(string(text), " ")
	return ", load average before " + minute
}
