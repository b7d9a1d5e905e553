import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { readCompose, servicesHere } from '@workshop/backends/compose-file';
import { whyNoEngine } from '@workshop/backends/lane';
import { steps } from '@workshop/lessons/steps';
import { execa } from 'execa';

/** The images of all steps, without what WITHOUT leaves out. */
export async function imagesOfAll(): Promise<string[]> {
  const withBackends = steps.filter(({ dir }) => existsSync(join(dir, 'compose.yaml')));
  const files = await Promise.all(withBackends.map(({ dir }) => readCompose(dir)));
  return [...new Set(files.flatMap((file) => servicesHere(file).map((name) => String(file.services[name]?.image))))];
}

/** Which of `images` the engine has not got. */
export async function missing(images: string[]): Promise<string[]> {
  const { stdout } = await docker('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}');
  const here = new Set(String(stdout).split('\n'));
  return images.filter((image) => !here.has(image));
}

/** Pulls the images that are missing; the engine shows its progress. Throws an Error that names those it cannot have. */
export async function pull(): Promise<void> {
  await needEngine();
  const images = await missing(await imagesOfAll());
  const failed: string[] = [];
  for (const image of images) {
    console.log(`${image}:`);
    const { exitCode } = await execa('docker', ['pull', image], { stdio: 'inherit', reject: false });
    if (exitCode !== 0) failed.push(image);
  }
  if (failed.length > 0) {
    throw new Error(
      `Not pulled: ${failed.join(', ')}. Is the network there, and your proxy known to Docker? ` +
        'A bundle of somebody who has them: npx workshop pull --load FILE',
    );
  }
  console.log('The images of all steps are here.');
}

/** Writes the images of all steps into one file. Throws an Error when one is not here. */
export async function saveImages(file: string): Promise<void> {
  await needEngine();
  const images = await imagesOfAll();
  const notHere = await missing(images);
  if (notHere.length > 0) throw new Error(`Not here yet: ${notHere.join(', ')}. First: npx workshop pull`);
  // An interrupted one is no bundle.
  const unfinished = `${resolve(file)}.unfinished`;
  const { exitCode, stderr } = await docker('save', '--output', unfinished, ...images);
  if (exitCode !== 0) {
    await rm(unfinished, { force: true });
    throw new Error(`The bundle was not written: ${stderr}`);
  }
  await rename(unfinished, file);
  console.log(`The images of all steps are in ${file}. On another machine: npx workshop pull --load ${file}`);
}

/** Gives the engine the images of a file that `saveImages` wrote. Throws an Error when it is none, or cut short. */
export async function loadImages(file: string): Promise<void> {
  if (!existsSync(file)) throw new Error(`There is no file ${file}. It is made by: npx workshop pull --save ${file}`);
  await needEngine();
  const { exitCode, stderr } = await docker('load', '--input', file);
  if (exitCode !== 0) {
    throw new Error(
      `${file} is no bundle, or is cut short (Docker says: ${stderr}). Copy it again, and compare the size.`,
    );
  }
  const notHere = await missing(await imagesOfAll());
  if (notHere.length > 0) {
    throw new Error(
      `${file} is a bundle of something else: it has no ${notHere.join(', ')}. Make it anew with this workshop.`,
    );
  }
  console.log('The images of all steps are here.');
}

async function needEngine(): Promise<void> {
  const reason = await whyNoEngine();
  if (reason) throw new Error(`Images need Docker, and ${reason}.`);
}

async function docker(...args: string[]) {
  return execa('docker', args, { reject: false });
}
