package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParsers(t *testing.T) {
	for _, c := range []struct {
		file  string
		parse func(string) outcomes
		want  outcomes
	}{
		{"unittest.txt", parseUnittest, outcomes{
			"test.test_signal.GenericTests.test_enums":                      pass,
			"test.test_signal.GoneTests.setUpClass":                         "error",
			"test.test_signal.PosixTests.test_keyboard_interrupt_exit_code": pass,
			"test.test_signal.RaiseSignalTest.test_invalid_argument":        skip,
			"test.test_signal.StressTest.test_stress_delivery":              pass,
			"test.test_signal.SubTests.test_cpu_count":                      fail,
			"test.test_signal.SubTests.test_noise":                          pass,
			"test.test_signal.SubTests.test_late":                           pass,
			"test.test_signal.SubTests.test_odd":                            fail,
			"test.test_signal.SubTests.test_bad":                            fail,
		}},
		{"unittest-hung.txt", parseUnittest, outcomes{
			"test.test_os.A.test_sane": pass,
			"test.test_os.A.test_hang": unfinished,
		}},
		{"go.txt", parseGo, outcomes{
			"TestPipe":              pass,
			"TestSub":               fail,
			"TestSub/tcp_127.0.0.1": pass,
			"TestSub/unix":          skip,
			"ExampleOf":             pass,
			"TestHang":              unfinished,
		}},
		{"lines.txt", parseLines, outcomes{
			"interfaces/kill/1-1": pass,
			"query":               "pass 8ef2 3 rows",
			"interfaces/kill/2-1": "exit 2",
			"interfaces/kill/3-1": unfinished,
		}},
	} {
		text, err := os.ReadFile("testdata/" + c.file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, c.parse(string(text))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.file, diff)
		}
	}
}

func TestSelection(t *testing.T) {
	argv := []string{"prog", "module"}
	for _, c := range []struct {
		got, want []string
	}{
		{onlyUnittest(argv, []string{"test.a.B.c"}), []string{"prog", "-m", "test.a.B.c", "module"}},
		{onlyGo(argv, []string{"TestB/x", "TestA", "TestB/y"}), []string{"prog", "module", "-test.run=^(TestA|TestB)$"}},
		{onlyNames(argv, []string{"a", "b"}), []string{"prog", "module", "a", "b"}},
		{argv, []string{"prog", "module"}}, // none of them wrote into it
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
