#include <assay/assay.h>

#include <cstdio>

int main(int argc, char** argv) {
  assay::Interpreter interpreter(assay::ReadModel(argc > 1 ? argv[1] : "model.tflite"));
  interpreter.AllocateTensors();
  interpreter.Invoke();
  std::printf("%zu inputs, output 0 has %lld values\n", interpreter.input_count(),
              static_cast<long long>(interpreter.Output(0).size()));
}
