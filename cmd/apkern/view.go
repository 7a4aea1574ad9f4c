package main

import (
	"errors"

	"apkern/abi"
	"apkern/internal/client"
)

// view is what the device shows, with which CPU is which.
type view struct {
	device *client.Device
	memory *client.Memory
	info   abi.Info
	cpus   []client.CPU
}

// openView opens the device and maps its memory. The caller closes the view;
// until then the module stays.
func openView() (*view, error) {
	device, err := client.Open()
	if err != nil {
		return nil, err
	}
	v := &view{device: device}
	if err := v.fill(); err != nil {
		return nil, errors.Join(err, device.Close())
	}
	return v, nil
}

func (v *view) fill() error {
	st, err := sysfs.Status()
	if err != nil {
		return err
	}
	v.cpus = st.CPUs
	if v.info, err = v.device.Info(); err != nil {
		return err
	}
	var indexes []int
	for _, c := range v.cpus {
		indexes = append(indexes, c.Index)
	}
	v.memory, err = v.device.Map(indexes)
	return err
}

// close ends the view. Nothing was written, so nothing can be lost by it.
func (v *view) close() {
	_ = v.memory.Close()
	_ = v.device.Close()
}
